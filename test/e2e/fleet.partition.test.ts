/**
 * Two machines and their store, each in a network of its own, and the way between one machine and the store cut: by a
 * link that is down, which the machine sees at once, and by packets that are lost, which nobody is told of.
 */
import { connect as dial, type Socket } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Peer } from "../../src/testing/index.ts"
import { peer } from "../../src/testing/index.ts"
import * as Admin from "../support/admin.ts"
import { describeWith } from "../support/clients.ts"
import { request } from "../support/messages.ts"
import * as Namespaces from "../support/namespaces.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import * as Redis from "../support/redis.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"

const limit = 10

const token = "0123456789-abcdefghij"

/** Accepts whatever comes to port 8000 of its network. */
const target = Effect.fnUntraced(function* ({ by }: Namespaces.Namespace) {
  const script = `require("net").createServer((s) => s.on("error", () => {})).listen(8000, "127.0.0.1", () => console.log("ready"))`
  const [command, ...args] = [...by, process.execPath, "-e", script]
  const running = yield* Processes.start(command!, args)
  yield* running.until((stdout) => stdout.includes("ready") || undefined)
})

/** A machine in this network. Its clients and its operators come by sockets in the file system. */
const machine = Effect.fnUntraced(function* (name: string, network: Namespaces.Namespace, store: string) {
  const directory = yield* Temporary.directory
  const [path, socketPath] = [join(directory, "socks.sock"), join(directory, "admin.sock")]
  const flags = [
    ...["--listen", `unix:${path}`, "--fleet", store, "--fleet-machine", name, "--fleet-lease", "2s"],
    ...["--user", "alice:secret", "--max-sessions-per-user", String(limit), "--allow-target", "127.0.0.1"],
    ...["--admin", `unix:${socketPath}`, "--admin-token", token]
  ]
  yield* target(network)
  const program = yield* Program.start(flags, { by: network.by })
  yield* program.sinceStart({ message: "admin listens" })
  const api = (method: string, path: string, body?: unknown) =>
    Admin.ask({ socketPath, token }, `/api${path}`, { method, ...(body !== undefined && { body }) })
  /** The client of a session, if it begins. */
  const session = Effect.gen(function* () {
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => dial(path)),
      (socket) => Effect.sync(() => socket.destroy())
    )
    const client = peer(socket)
    yield* Tcp.authenticate(client, "alice", "secret")
    yield* client.send(request("127.0.0.1", 8000))
    return (yield* client.receive(10))[1] === 0 ? [client] : []
  })
  return {
    ...program,
    name,
    flags,
    api,
    bans: Effect.map(api("GET", "/bans"), ({ json }) =>
      json.map(({ network }: { readonly network: string }) => network).sort()
    ),
    begin: (count: number) =>
      Effect.map(Effect.replicateEffect(session, count, { concurrency: "unbounded" }), (found) =>
        found.flat()
      ),
    /** Ends sessions. Completes when the machine knows it. */
    close: Effect.fnUntraced(function* (clients: ReadonlyArray<Peer>) {
      const count = (yield* api("GET", "/sessions")).json.length - clients.length
      for (const { duplex } of clients) (duplex as Socket).destroy()
      yield* until(api("GET", "/sessions"), ({ json }) => json.length <= count)
    })
  }
})

/** Asks again until it is so. */
const until = <A, R>(
  ask: Effect.Effect<A, never, R>,
  isSo: (answer: A) => boolean
): Effect.Effect<A, never, R> =>
  Effect.flatMap(ask, (answer) =>
    isSo(answer) ? Effect.succeed(answer) : Effect.andThen(Effect.sleep("50 millis"), until(ask, isSo))
  )

/** Both machines, and the network of the store, with the name of its cable to the second. */
const fleet = Effect.gen(function* () {
  const [store, near, far] = yield* Effect.all([Namespaces.make, Namespaces.make, Namespaces.make], {
    concurrency: "unbounded"
  })
  yield* Namespaces.connect([store, "10.1.0.1/24"], [near, "10.1.0.2/24"])
  const [, cable] = yield* Namespaces.connect([store, "10.2.0.1/24"], [far, "10.2.0.2/24"])
  yield* Redis.make({ port: 6379, bind: "0.0.0.0", password: "s3cr3t", by: store.by })
  const [one, two] = yield* Effect.all(
    [machine("one", near, "redis://:s3cr3t@10.1.0.1"), machine("two", far, "redis://:s3cr3t@10.2.0.1")],
    { concurrency: "unbounded" }
  )
  return { store, far, cable, one, two }
})

type Fleet = Effect.Success<typeof fleet>

interface Cut {
  readonly name: string
  readonly cut: (fleet: Fleet) => Effect.Effect<unknown>
  readonly mend: (fleet: Fleet) => Effect.Effect<unknown>
}

const cuts: ReadonlyArray<Cut> = [
  {
    name: "a link that is down",
    cut: ({ far, cable }) => far.run(`ip link set ${cable} down`),
    mend: ({ far, cable }) => far.run(`ip link set ${cable} up`)
  },
  {
    // What the machine sends arrives, and no answer comes back, not even a refusal.
    name: "answers that are lost",
    cut: ({ store }) => store.run("ip route add blackhole 10.2.0.2/32"),
    mend: ({ store }) => store.run("ip route del blackhole 10.2.0.2/32")
  }
]

const lost = { message: "this machine has lost its fleet: its leases have ended" }
const found = { message: "this machine is in its fleet again" }

const describeInNamespaces = describe.runIf(Namespaces.isPermitted)

describeWith(["redis-server", "iproute2"], () => {
  describeInNamespaces("A machine cut off from its store (needs root and network namespaces)", () => {
    for (const { name, cut, mend } of cuts) {
      it.live(`has its share and no more, and all is as before when it is back: ${name}`, () =>
        Effect.gen(function* () {
          const all = yield* fleet
          const { one, two } = all
          const both = (count: number) =>
            Effect.map(
              Effect.all([one.begin(count), two.begin(count)], { concurrency: "unbounded" }),
              (found) => found
            )
          const [ofOne, ofTwo] = yield* both(limit)
          assert.strictEqual(ofOne.length + ofTwo.length, limit)
          yield* one.close(ofOne)
          yield* two.close(ofTwo)
          yield* one.api("POST", "/bans", { network: "203.0.113.0/24" })
          yield* until(two.bans, (bans) => bans.length === 1)
          const before = yield* two.begin(4)
          assert.lengthOf(before, 4)

          yield* cut(all)
          yield* one.api("POST", "/bans", { network: "192.0.2.0/24" })
          yield* one.api("DELETE", `/bans/${encodeURIComponent("203.0.113.0/24")}`)
          yield* two.api("POST", "/bans", { network: "198.51.100.0/24" })
          yield* two.logged(lost)
          const asked = performance.now()
          assert.isTrue((yield* two.api("GET", "/fleet")).json.storeLost)
          assert.isBelow(performance.now() - asked, 4000)
          // Half of the limit: it has seen two machines.
          const more = yield* two.begin(limit)
          assert.lengthOf(more, limit / 2 - before.length)
          assert.deepStrictEqual(yield* two.bans, ["198.51.100.0/24", "203.0.113.0/24"])
          // The other has all of it, when the leases have ended.
          const others: Array<Peer> = []
          yield* until(one.begin(limit), (begun) => others.push(...begun) >= limit)
          assert.lengthOf(others, limit)

          yield* mend(all)
          yield* two.logged(found)
          for (const { bans } of [one, two]) {
            yield* until(bans, (bans) => bans.join() === "192.0.2.0/24,198.51.100.0/24")
          }
          // Together they have more than the limit, so nothing begins until enough has ended.
          assert.deepStrictEqual(yield* both(3), [[], []])
          yield* one.close(others.slice(0, limit / 2))
          assert.deepStrictEqual(yield* both(3), [[], []])
          yield* one.close(others.slice(limit / 2))
          const again = (yield* both(limit)).flat()
          assert.lengthOf(again, limit - before.length - more.length)
        })
      )
    }

    it.live("does not start without an answer of the store, and says so in time", () =>
      Effect.gen(function* () {
        const { store, far } = yield* Effect.all({ store: Namespaces.make, far: Namespaces.make })
        yield* Namespaces.connect([store, "10.2.0.1/24"], [far, "10.2.0.2/24"])
        yield* Redis.make({ port: 6379, bind: "0.0.0.0", password: "s3cr3t", by: store.by })
        yield* store.run("ip route add blackhole 10.2.0.2/32")
        const started = performance.now()
        const { code, stderr } = yield* Program.run(["--fleet", "redis://:s3cr3t@10.2.0.1"], { by: far.by })
        assert.strictEqual(code, 1)
        assert.match(stderr, /redis:\/\/10\.2\.0\.1:6379\/0: .*(no answer|timeout)/i)
        assert.notInclude(stderr, "s3cr3t")
        assert.isBelow(performance.now() - started, 10_000)
      })
    )
  })
})
