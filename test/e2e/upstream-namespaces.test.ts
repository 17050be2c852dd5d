/**
 * A server in a network of its own, whose targets are in other networks: reached through the right upstream, and not in
 * any other way.
 */
import { writeFile } from "node:fs/promises"
import { connect as dial } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Peer from "../../src/testing/Peer.ts"
import { describeWith } from "../support/clients.ts"
import * as Forwarders from "../support/forwarders.ts"
import { greeting, request } from "../support/messages.ts"
import * as Namespaces from "../support/namespaces.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import { directory } from "../support/temporary.ts"
import * as Upstreams from "../support/upstreams.ts"

/**
 * The server is in `front`, which leads to `middle` only. That leads to `far`, and `far` to `end`. Nobody forwards
 * packets.
 */
const networks = Effect.gen(function* () {
  const [front, middle, far, end] = yield* Effect.all(Array(4).fill(Namespaces.make) as Four, {
    concurrency: "unbounded"
  })
  const [cable] = yield* Namespaces.connect([front, "10.1.0.1/24"], [middle, "10.1.0.2/24"])
  yield* Namespaces.connect([middle, "10.2.0.1/24"], [far, "10.2.0.2/24"])
  yield* Namespaces.connect([far, "10.3.0.1/24"], [end, "10.3.0.2/24"])
  return { front, middle, far, end, cable }
})

type Four = [typeof Namespaces.make, typeof Namespaces.make, typeof Namespaces.make, typeof Namespaces.make]

/** Tells by TCP and UDP, at ports from 8000 to 8019, from which address it is asked. */
const target = Effect.fnUntraced(function* ({ by }: Namespaces.Namespace) {
  const script = `
    for (let port = 8000; port < 8020; port++) {
      require("net").createServer((s) => s.on("error", () => {}).end(s.remoteAddress)).listen(port, "0.0.0.0")
      const udp = require("dgram").createSocket("udp4")
      udp.on("message", (_, from) => udp.send(from.address, from.port, from.address)).bind(port, "0.0.0.0")
    }
    setTimeout(() => console.log("ready"), 50)`
  const [command, ...args] = [...by, process.execPath, "-e", script]
  const running = yield* Processes.start(command!, args)
  yield* running.until((stdout) => stdout.includes("ready") || undefined)
})

/** This server as an upstream. */
const own = ({ by, host, port }: Forwarders.Place) =>
  Effect.flatMap(port, (port) =>
    Program.start(["--listen", `${host}:${port}`, "--open", "--private-targets", "allow"], { by })
  )

/** A server in the namespace with these routes, each of which a port of the targets takes; its clients come by a socket. */
const server = Effect.fnUntraced(function* (
  { by }: Namespaces.Namespace,
  routes: Readonly<Record<string, string | ReadonlyArray<string>>>,
  more: object = {}
) {
  const path = join(yield* directory, "socket")
  const named = Object.entries(routes)
  const config = {
    ...{ listen: [`unix:${path}`, "127.0.0.1:1080"], "connect-timeout": "2s", "log-decisions": "none" },
    routes: named.map(([name, via]) => ({ name, via })),
    rules: [
      { allow: true, ports: 8000, route: "direct" },
      ...named.map(([route], index) => ({ allow: true, ports: 8001 + index, route }))
    ],
    ...more
  }
  const file = join(yield* directory, "config.json")
  yield* Effect.promise(() => writeFile(file, JSON.stringify(config)))
  const program = yield* Program.start(["--config", file], { by })
  const portOf = (route: string) => (route === "direct" ? 8000 : 8001 + Object.keys(routes).indexOf(route))

  /** The code of the reply, and the address that the target sees. */
  const visit = Effect.fnUntraced(function* (host: string, route: string) {
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => dial(path)),
      (socket) => Effect.sync(() => socket.destroy())
    )
    const client = Peer.make(socket)
    yield* client.send([...greeting(0x00), ...request(host, portOf(route))])
    const [, , , code, , type] = yield* client.receive(2 + 4)
    yield* client.receive(type === 0x04 ? 18 : 6)
    return [code, Buffer.from(yield* client.rest).toString()] as const
  }, Effect.scoped)

  /** The address that the target of a datagram sees; or what became of the datagram. */
  const send = Effect.fnUntraced(function* (host: string, route: string) {
    const [command, ...args] = [...by, process.execPath, "-e", datagramClient, host, String(portOf(route))]
    return (yield* Processes.run(command!, args)).stdout.trim()
  })
  return { ...program, visit, send }
})

/** Associates, sends one datagram, and tells what comes back within half a second. */
const datagramClient = `
  const [host, port] = process.argv.slice(1)
  const address = host.split(".").map(Number)
  const control = require("net").connect(1080, "127.0.0.1")
  const udp = require("dgram").createSocket("udp4")
  const over = (text) => { console.log(text); process.exit() }
  control.write(Uint8Array.of(5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0))
  let head = Buffer.alloc(0)
  control.on("data", (bytes) => {
    head = Buffer.concat([head, bytes])
    if (head.length < 12) return
    if (head[3] !== 0) return over("refused with " + head[3])
    udp.send(Uint8Array.of(0, 0, 0, 1, ...address, port >> 8, port & 255, 1), head.readUInt16BE(10), "127.0.0.1")
    setTimeout(over, 500, "nothing")
  })
  udp.on("message", (bytes) => over(bytes.subarray(10).toString()))`

const needed = [
  ...(["dante-server", "microsocks", "openssh-client", "openssh-server"] as const),
  ...(["squid", "tinyproxy", "iproute2"] as const)
]

/** Where root and namespaces are missing, the name of the suite says so. */
const describeInNamespaces = describe.runIf(Namespaces.isPermitted)

describeWith(needed, () => {
  describeInNamespaces("A target in another network (needs root and network namespaces)", () => {
    it.live("is reached through the programs that lead there, and chains of them, and by no other way", () =>
      Effect.gen(function* () {
        const { front, middle, far, end } = yield* networks
        yield* Effect.all([target(far), target(end)], { concurrency: "unbounded" })
        const at = middle.at("10.1.0.2")
        const [self, dante, microsocks, squid, tinyproxy, ssh, second] = yield* Effect.all(
          [
            Effect.map(own(at), ({ port }) => port),
            Upstreams.danteAt(at, "10.2.0.1"),
            Upstreams.microsocksAt(at),
            Forwarders.squidAt(at),
            Forwarders.tinyproxyAt(at),
            Upstreams.sshAt(at, far.at("10.2.0.2")),
            Effect.map(own(far.at("10.2.0.2")), ({ port }) => port)
          ],
          { concurrency: "unbounded" }
        )
        const single = {
          self: `socks5://10.1.0.2:${self}?pipelined=true`,
          "self by http": `http://10.1.0.2:${self}`,
          dante: `socks5://10.1.0.2:${dante}`,
          microsocks: `socks5://alice:secret@10.1.0.2:${microsocks}`,
          squid: `http://10.1.0.2:${squid}`,
          tinyproxy: `http://10.1.0.2:${tinyproxy}`,
          ssh: `socks5://10.1.0.2:${ssh}`
        }
        const routes: Record<string, string | ReadonlyArray<string>> = {}
        for (const [name, via] of Object.entries(single)) {
          routes[name.replaceAll(" ", "-")] = via
          routes[`${name.replaceAll(" ", "-")}-twice`] = [via, `socks5://10.2.0.2:${second}`]
        }
        const { visit, send } = yield* server(front, routes)
        for (const name of Object.keys(routes)) {
          const isChain = name.endsWith("-twice")
          // ssh is in the middle, and its other end is far.
          const seen = isChain ? "10.3.0.1" : name === "ssh" ? "10.2.0.2" : "10.2.0.1"
          const host = isChain ? "10.3.0.2" : "10.2.0.2"
          assert.deepStrictEqual([name, ...(yield* visit(host, name))], [name, 0, seen])
        }
        // Not directly, and not through an upstream that does not lead there.
        assert.deepStrictEqual(yield* visit("10.2.0.2", "direct"), [3, ""])
        const [code] = yield* visit("10.3.0.2", "self")
        assert.strictEqual(code, 3)

        assert.strictEqual(yield* send("10.2.0.2", "self"), "10.2.0.1")
        assert.strictEqual(yield* send("10.2.0.2", "dante"), "10.2.0.1")
        assert.strictEqual(yield* send("10.2.0.2", "direct"), "nothing")
      }).pipe(Effect.scoped)
    )

    it.live("gets datagrams through chains with dante, in each of its places", () =>
      Effect.gen(function* () {
        const { front, middle, far, end } = yield* networks
        yield* target(end)
        const near = middle.at("10.1.0.2")
        const next = far.at("10.2.0.2")
        const [dante, self, danteBehind, selfBehind] = yield* Effect.all(
          [
            Upstreams.danteAt(near, "10.2.0.1"),
            Effect.map(own(near), ({ port }) => port),
            Upstreams.danteAt(next, "10.3.0.1"),
            Effect.map(own(next), ({ port }) => port)
          ],
          { concurrency: "unbounded" }
        )
        const at = (host: string, port: number) => `socks5://${host}:${port}`
        const routes = {
          "dante-self": [at("10.1.0.2", dante), at("10.2.0.2", selfBehind)],
          "self-dante": [at("10.1.0.2", self), at("10.2.0.2", danteBehind)],
          "dante-dante": [at("10.1.0.2", dante), at("10.2.0.2", danteBehind)]
        }
        const { send } = yield* server(front, routes)
        for (const name of Object.keys(routes)) {
          assert.deepStrictEqual([name, yield* send("10.3.0.2", name)], [name, "10.3.0.1"])
        }
        assert.strictEqual(yield* send("10.3.0.2", "direct"), "nothing")
      }).pipe(Effect.scoped)
    )

    it.live("gets no packet if the upstream is gone, stopped or cut off, though a direct way is there", () =>
      Effect.gen(function* () {
        const { front, middle, far, cable } = yield* networks
        yield* target(far)
        const [direct] = yield* Namespaces.connect([front, "10.9.0.1/24"], [far, "10.9.0.2/24"])
        yield* front.run(`ip route add 10.2.0.2 dev ${direct}`)
        const upstream = yield* own(middle.at("10.1.0.2"))
        const { visit, send } = yield* server(
          front,
          { self: `socks5://10.1.0.2:${upstream.port}` },
          { "connect-timeout": "300ms" }
        )
        assert.deepStrictEqual(yield* visit("10.2.0.2", "direct"), [0, "10.9.0.1"])
        assert.deepStrictEqual(yield* visit("10.2.0.2", "self"), [0, "10.2.0.1"])
        assert.strictEqual(yield* send("10.2.0.2", "self"), "10.2.0.1")

        const nothing = Effect.gen(function* () {
          const before = far.packets()
          const visits = yield* Effect.all(
            Array(10).fill(visit("10.2.0.2", "self")) as Array<ReturnType<typeof visit>>,
            {
              concurrency: "unbounded"
            }
          )
          for (const told of visits) assert.deepStrictEqual(told, [1, ""])
          assert.strictEqual(yield* send("10.2.0.2", "self"), "nothing")
          assert.strictEqual(far.packets(), before)
        })
        yield* upstream.kill("SIGSTOP")
        yield* nothing
        yield* upstream.kill("SIGKILL")
        yield* nothing
        yield* front.run(`ip link set ${cable} down`)
        yield* nothing
        // The way was there all the time.
        assert.deepStrictEqual(yield* visit("10.2.0.2", "direct"), [0, "10.9.0.1"])
      }).pipe(Effect.scoped)
    )

    it.live("costs no more than the stagger where its IPv6 is dead, and so does an upstream", () =>
      Effect.gen(function* () {
        const { front, middle } = yield* networks
        yield* target(middle)
        const [near] = yield* Namespaces.connect([front, "fd00:1::1/64"], [middle, "fd00:1::2/64"])
        yield* front.run(`ip -6 route add fd00:f::/48 via fd00:1::2 dev ${near}`)
        // Its packets are lost there, and nobody says so.
        yield* middle.run("ip -6 route add blackhole fd00:f::/48")
        const upstream = yield* own(middle.at("10.1.0.2"))
        const { visit } = yield* server(
          front,
          { dual: `socks5://upstream.test:${upstream.port}` },
          {
            "static-hosts": ["target.test", "upstream.test"].flatMap((name) => [
              `${name}=fd00:f::1`,
              `${name}=10.1.0.2`
            ])
          }
        )
        for (const [host, route] of [
          ["target.test", "direct"],
          ["10.1.0.2", "dual"]
        ] as const) {
          const times: Array<number> = []
          for (let i = 0; i < 3; i++) {
            const start = performance.now()
            assert.strictEqual((yield* visit(host, route))[0], 0)
            times.push(performance.now() - start)
          }
          // The first waits for IPv6. Then it is remembered that IPv4 works.
          assert.isAtLeast(times[0]!, 249, route)
          assert.isBelow(times[0]!, 500, route)
          assert.isBelow(Math.min(times[1]!, times[2]!), 240, route)
        }
      }).pipe(Effect.scoped)
    )
  })
})
