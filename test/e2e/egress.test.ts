/**
 * The address that targets see, with each transport: of connections, of BIND and of datagrams.
 */
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { connect as dial } from "node:net"
import { join } from "node:path"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Peer from "../../src/testing/Peer.ts"
import { credentials, datagram, greeting, request } from "../support/messages.ts"
import * as Namespaces from "../support/namespaces.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import { connect, listen } from "../support/sockets.ts"
import { directory } from "../support/temporary.ts"
import * as Udp from "../support/udp.ts"

const key = ["--egress-key", "a secret of these tests".replaceAll(" ", "-")]

/** Every address of this network is one of loopback. */
const flags = ["--egress", "127.99.0.0/16", ...key, "--egress-by", "client", "--bind"]

for (const transport of ["node", "descriptors"]) {
  layer(Program.layer([...flags, "--transport", transport]), { excludeTestServices: true })(
    `The program with --egress, on ${transport}`,
    (it) => {
      /** The address that a target sees of a client at this address, and the code of the reply. */
      const seenOf = Effect.fnUntraced(function* (client: string) {
        const { port } = yield* Program.Program
        const target = yield* listen()
        const peer = yield* connect(port, "127.0.0.1", client)
        yield* peer.send([...greeting(0x00), ...request("127.0.0.1", target.port)])
        const [, , , code, , , ...bound] = yield* peer.receive(2 + 10)
        assert.strictEqual(code, 0x00)
        const { remoteAddress } = (yield* target.accept).duplex
        assert.strictEqual(bound.slice(0, 4).join("."), remoteAddress, "the reply")
        yield* peer.end
        return remoteAddress!
      }, Effect.scoped)

      it.effect(
        "leaves from an address of the network, the same for the same client, and says so in the log",
        () =>
          Effect.gen(function* () {
            const { logged } = yield* Program.Program
            const one = yield* seenOf("127.0.0.2")
            assert.match(one, /^127\.99\./)
            assert.strictEqual(yield* seenOf("127.0.0.2"), one)
            assert.notStrictEqual(yield* seenOf("127.0.0.3"), one)
            yield* logged({ message: "session", egress: one, route: "direct" })
          })
      )

      it.effect("sends datagrams and waits for BIND there, too", () =>
        Effect.gen(function* () {
          const { port, logged } = yield* Program.Program
          const from = yield* seenOf("127.0.0.1")
          const target = yield* Udp.echo()
          const client = yield* Udp.open()
          const association = yield* Udp.associate(port)
          yield* client.send(datagram("127.0.0.1", target.port, [1, 2, 3]), association.port)
          assert.deepStrictEqual((yield* client.receive).bytes, datagram("127.0.0.1", target.port, [1, 2, 3]))
          assert.strictEqual((yield* target.receive).from.address, from)
          yield* association.control.end
          yield* logged({ message: "session", command: "ASSOCIATE", route: "direct", egress: from })
          const waiting = yield* connect(port)
          yield* waiting.send([...greeting(0x00), ...request("127.0.0.1", 0, 0x02)])
          const [, , , code, , , ...bound] = yield* waiting.receive(2 + 10)
          assert.strictEqual(code, 0x00)
          assert.strictEqual(bound.slice(0, 4).join("."), from)
        })
      )

      it.effect("does not reach a target of IPv6, which could not be reached from there", () =>
        Effect.gen(function* () {
          const { port } = yield* Program.Program
          const client = yield* connect(port)
          const loopback = [...Array(15).fill(0), 1]
          yield* client.send([...greeting(0x00), ...request(loopback, 1)])
          assert.strictEqual((yield* client.receive(2 + 10))[3], 0x08)
        })
      )
    }
  )
}

const isPermitted = process.getuid?.() === 0 && spawnSync("unshare", ["-n", "ip", "link"]).status === 0

/** A network of its own, in which every address of 2001:db8:1::/64 leads to loopback, and a target tells what it sees. */
const alone = (more: string) =>
  Program.shell(
    [
      "ip link set lo up",
      "ip -6 route add local 2001:db8:1::/64 dev lo",
      "ip -6 addr add 2001:db8:2::1/64 dev lo",
      more,
      `node -e '${target}' < /dev/null > /dev/null 2>&1 & exec "$@"`
    ].join(" && ")
  )

/** It ends by itself, as nothing else ends it. */
const target =
  'setTimeout(process.exit, 30000); require("net").createServer((s) => s.on("error", () => {}).end(s.remoteAddress)).listen(8080, "2001:db8:2::1")'

describe.runIf(isPermitted)("A network of IPv6 (needs root and network namespaces)", () => {
  const visit = Effect.fnUntraced(function* (transport: string, more: string) {
    const path = join(yield* directory, "socket")
    yield* Program.start(
      [
        ...["--transport", transport, "--listen", `unix:${path}`, "--egress", "2001:db8:1::/64", ...key],
        ...["--connect-timeout", "3s", "--log-level", "debug"]
      ],
      { by: ["unshare", "-n", ...alone(more)] }
    )
    const ask = Effect.gen(function* () {
      const socket = yield* Effect.acquireRelease(
        Effect.sync(() => dial(path)),
        (socket) => Effect.sync(() => socket.destroy())
      )
      const client = Peer.make(socket)
      yield* client.send([...greeting(0x00), ...request("2001:db8:2::1", 8080)])
      const [, , , code, , type] = yield* client.receive(2 + 4)
      yield* client.receive(type === 0x04 ? 18 : 6)
      return { code, seen: new TextDecoder().decode(yield* client.rest) }
    })
    // Refused, until the target listens.
    const isUp = ({ code }: Effect.Success<typeof ask>) => code !== 0x05
    return yield* Effect.repeat(Effect.delay(ask, "50 millis"), { until: isUp, times: 100 })
  }, Effect.scoped)

  it.live("is rotated over on descriptors, with no address configured", () =>
    Effect.gen(function* () {
      const { code, seen } = yield* visit("descriptors", "true")
      assert.strictEqual(code, 0x00)
      assert.match(seen, /^2001:db8:1:/)
    })
  )

  it.live("needs ip_nonlocal_bind on the sockets of Node, and fails without", () =>
    Effect.gen(function* () {
      const allowed = yield* visit("node", "echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind")
      assert.deepInclude(allowed, { code: 0x00, seen: (yield* visit("descriptors", "true")).seen })
      assert.strictEqual((yield* visit("node", "true")).code, 0x01)
    })
  )
})

/** The recipe of the documentation, as it is written there. */
const recipe = /\*\*An address for each user\*\*[^`]*```yaml\n(.*?)```/s.exec(
  readFileSync(new URL("../../docs/routes.md", import.meta.url), "utf8")
)![1]!

describe.runIf(isPermitted)("An address for each user (needs root and network namespaces)", () => {
  it.live.each(["descriptors", "node"])(
    "is one of the networks, the same after a restart, on %s",
    (transport) =>
      Effect.gen(function* () {
        const [front, target] = [yield* Namespaces.make, yield* Namespaces.make]
        const [near, far] = yield* Namespaces.connect(
          [front, "192.0.2.1/24", "2001:db8:2::1/64"],
          [target, "192.0.2.2/24", "2001:db8:2::2/64"]
        )
        // As a provider has it: both networks lead to the machine of the server.
        yield* target.run(
          `ip route add 192.0.2.8/30 dev ${far}`,
          `ip -6 route add 2001:db8:1::/64 via 2001:db8:2::1`
        )
        yield* front.run(
          "ip route add local 192.0.2.8/30 dev lo",
          "ip -6 route add local 2001:db8:1::/64 dev lo",
          `echo 0 > /proc/sys/net/ipv4/conf/${near}/rp_filter`,
          ...(transport === "node" ? ["echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind"] : [])
        )
        const script = `require("net").createServer((s) => s.on("error", () => {}).end(s.remoteAddress))
        .listen(8080, "::", () => console.log("ready"))`
        const [command, ...args] = [...target.by, process.execPath, "-e", script]
        const listening = yield* Processes.start(command!, args)
        yield* listening.until((stdout) => stdout.includes("ready") || undefined)

        const path = yield* directory
        const socket = join(path, "socket")
        writeFileSync(join(path, "egress.key"), "0123456789-abcdef\n")
        writeFileSync(join(path, "effect-socks.yaml"), `${recipe}\nlisten: "unix:${socket}"\n`)

        const visit = Effect.fnUntraced(function* (user: string, host: string) {
          const duplex = yield* Effect.acquireRelease(
            Effect.sync(() => dial(socket)),
            (socket) => Effect.sync(() => socket.destroy())
          )
          const client = Peer.make(duplex)
          yield* client.send([...greeting(0x02), ...credentials(user, "secret"), ...request(host, 8080)])
          const [, , , , , code, , type] = yield* client.receive(2 + 2 + 4)
          yield* client.receive(type === 0x04 ? 18 : 6)
          assert.strictEqual(code, 0x00, `${user} to ${host}`)
          return Buffer.from(yield* client.rest)
            .toString()
            .replace("::ffff:", "")
        }, Effect.scoped)

        /** The addresses of each user, of IPv4 and of IPv6, which do not change. */
        const seen = Effect.gen(function* () {
          const flags = ["--config", "effect-socks.yaml", "--transport", transport]
          const server = yield* Program.start(flags, { by: front.by, cwd: path })
          const found: Array<string> = []
          for (const user of ["alice", "bob"]) {
            for (const host of ["192.0.2.2", "2001:db8:2::2"]) {
              const first = yield* visit(user, host)
              for (let i = 0; i < 3; i++) assert.strictEqual(yield* visit(user, host), first)
              yield* server.logged({ message: "session", user, egress: first, route: "direct" })
              found.push(first)
            }
          }
          return found
        }).pipe(Effect.scoped)

        const before = yield* seen
        const [alice4, alice6, bob4, bob6] = before
        for (const address of [alice4, bob4]) assert.match(address!, /^192\.0\.2\.(?:8|9|10|11)$/)
        for (const address of [alice6, bob6]) assert.match(address!, /^2001:db8:1:/)
        assert.notStrictEqual(alice6, bob6)
        assert.deepStrictEqual(yield* seen, before)
      }).pipe(Effect.scoped)
  )
})
