/**
 * Two machines and their store, each in a network of its own, and the way between one machine and the store cut: by a
 * link that is down, which the machine sees at once, and by packets that are lost, which nobody is told of. Clients use
 * limits of each kind on both sides of the cut.
 */
import { writeFileSync } from "node:fs"
import { connect as dial, type Socket } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Peer } from "../../src/testing/index.ts"
import { peer } from "../../src/testing/index.ts"
import * as Admin from "../support/admin.ts"
import { describeWith } from "../support/clients.ts"
import * as Load from "../support/fleet-load.ts"
import { request } from "../support/messages.ts"
import * as Namespaces from "../support/namespaces.ts"
import * as Processes from "../support/processes.ts"
import * as Program from "../support/program.ts"
import * as Redis from "../support/redis.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"

const limits = { ...Load.limits, sessions: 10, quota: 2 * 2 ** 20 }
const limit = limits.sessions

const token = "0123456789-abcdefghij"

/** Accepts whatever comes to port 8000 of its network, and sends without an end to what comes to port 8001. */
const targets = Effect.fnUntraced(function* ({ by }: Namespaces.Namespace) {
  const script = `
    const { createServer } = require("net")
    const chunk = Buffer.alloc(65536)
    const pour = (s) => { while (!s.destroyed && s.write(chunk)); }
    createServer((s) => s.on("error", () => {})).listen(8000, "127.0.0.1", () =>
      createServer((s) => pour(s.on("error", () => {}).on("drain", () => pour(s)))).listen(8001, "127.0.0.1", () =>
        console.log("ready")))`
  const [command, ...args] = [...by, process.execPath, "-e", script]
  const running = yield* Processes.start(command!, args)
  yield* running.until((stdout) => stdout.includes("ready") || undefined)
})

/** A machine in this network. Its clients and its operators come by sockets in the file system. */
const machine = Effect.fnUntraced(function* (name: string, network: Namespaces.Namespace, store: string) {
  const directory = yield* Temporary.directory
  const [path, socketPath, file] = ["socks.sock", "admin.sock", "fleet.yaml"].map((name) =>
    join(directory, name)
  ) as [string, string, string]
  writeFileSync(
    file,
    `fleet: ${store}\nfleet-machine: ${name}\nfleet-lease: 2s\nallow-target: 127.0.0.1\n${Load.users(limits)}\n`
  )
  const flags = ["--config", file, "--listen", `unix:${path}`]
  yield* targets(network)
  const program = yield* Program.start([...flags, "--admin", `unix:${socketPath}`, "--admin-token", token], {
    by: network.by
  })
  yield* program.sinceStart({ message: "admin listens" })
  const api = (method: string, path: string, body?: unknown) =>
    Admin.ask({ socketPath, token }, `/api${path}`, { method, ...(body !== undefined && { body }) })
  const ask: Load.Way["ask"] = Effect.fnUntraced(function* (user, port) {
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => dial(path)),
      (socket) => Effect.sync(() => socket.destroy())
    )
    const client = peer(socket)
    yield* Tcp.authenticate(client, user, "secret")
    yield* client.send(request("127.0.0.1", port))
    return { client, code: (yield* client.receive(10))[1] }
  })
  const way: Load.Way = { ask, silent: 8000, pouring: 8001 }
  return {
    ...program,
    api,
    way,
    bans: Effect.map(api("GET", "/bans"), ({ json }) =>
      json.map(({ network }: { readonly network: string }) => network).sort()
    ),
    /** The clients of the sessions that begin. */
    begin: (count: number) =>
      Effect.map(
        Effect.replicateEffect(ask("alice", way.silent), count, { concurrency: "unbounded" }),
        (found) => found.flatMap(({ client, code }) => (code === 0 ? [client] : []))
      ),
    /** Ends sessions. Completes when the machine knows it. */
    close: Effect.fnUntraced(function* (clients: ReadonlyArray<Peer>) {
      const open = Effect.map(api("GET", "/sessions?user=alice"), ({ json }) => json.length)
      const count = (yield* open) - clients.length
      for (const { duplex } of clients) (duplex as Socket).destroy()
      yield* until(open, (now) => now <= count)
    })
  }
})

/** Asks again until it is so. */
const until = <A, E, R>(ask: Effect.Effect<A, E, R>, isSo: (answer: A) => boolean): Effect.Effect<A, E, R> =>
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
  const redis = yield* Redis.make({ port: 6379, bind: "0.0.0.0", password: "s3cr3t", by: store.by })
  const [one, two] = yield* Effect.all(
    [machine("one", near, "redis://:s3cr3t@10.1.0.1"), machine("two", far, "redis://:s3cr3t@10.2.0.1")],
    { concurrency: "unbounded" }
  )
  return { store, redis, far, cable, one, two }
})

type Fleet = Effect.Success<typeof fleet>

interface Cut {
  readonly name: string
  readonly cut: (fleet: Fleet) => Effect.Effect<unknown>
  /** What else happens meanwhile. */
  readonly meanwhile: (fleet: Fleet) => Effect.Effect<unknown>
  readonly mend: (fleet: Fleet) => Effect.Effect<unknown>
  /** The bans that hold afterwards. */
  readonly bans: ReadonlyArray<string>
}

const cuts: ReadonlyArray<Cut> = [
  {
    name: "a link that is down, while the store is emptied",
    cut: ({ far, cable }) => far.run(`ip link set ${cable} down`),
    // It is told again what was lifted, also by a machine that has not heard of that.
    meanwhile: ({ redis }) => redis.command("FLUSHALL"),
    mend: ({ far, cable }) => far.run(`ip link set ${cable} up`),
    bans: ["192.0.2.0/24", "198.51.100.0/24"]
  },
  {
    // What the machine sends arrives, and no answer comes back, not even a refusal.
    name: "answers that are lost",
    cut: ({ store }) => store.run("ip route add blackhole 10.2.0.2/32"),
    // A ban of the machine, which does not know that it was heard.
    meanwhile: ({ one }) =>
      Effect.andThen(
        until(one.bans, (bans) => bans.includes("198.51.100.0/24")),
        one.api("DELETE", `/bans/${encodeURIComponent("198.51.100.0/24")}`)
      ),
    mend: ({ store }) => store.run("ip route del blackhole 10.2.0.2/32"),
    bans: ["192.0.2.0/24"]
  }
]

const lost = { message: "this machine has lost its fleet: its leases have ended" }
const found = { message: "this machine is in its fleet again" }

const describeInNamespaces = describe.runIf(Namespaces.isPermitted)

describeWith(["redis-server", "iproute2"], () => {
  describeInNamespaces("A machine cut off from its store (needs root and network namespaces)", () => {
    for (const { name, cut, meanwhile, mend, bans: expected } of cuts) {
      it.live(`has its share and no more, and all is as before when it is back: ${name}`, () =>
        Effect.gen(function* () {
          const all = yield* fleet
          const { one, two } = all
          const both = (count: number) =>
            Effect.all([one.begin(count), two.begin(count)], { concurrency: "unbounded" })
          const [ofOne, ofTwo] = yield* both(limit)
          assert.strictEqual(ofOne.length + ofTwo.length, limit)
          yield* one.close(ofOne)
          yield* two.close(ofTwo)
          yield* one.api("POST", "/bans", { network: "203.0.113.0/24" })
          yield* until(two.bans, (bans) => bans.length === 1)
          const before = yield* two.begin(4)
          assert.lengthOf(before, 4)
          const [near, far] = yield* Effect.all([Load.flows(one.way, "dave1"), Load.flows(two.way, "dave1")])
          yield* near.flowing
          yield* far.flowing
          yield* Load.apart

          yield* cut(all)
          // At once: a second without an answer ends the connection.
          yield* two.api("POST", "/bans", { network: "198.51.100.0/24" })
          yield* one.api("POST", "/bans", { network: "192.0.2.0/24" })
          yield* one.api("DELETE", `/bans/${encodeURIComponent("203.0.113.0/24")}`)
          yield* two.logged(lost)
          const uses = [near.since(), far.since()] as const
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
          const whole = near.since()
          yield* Effect.all([near.spent, far.spent], { concurrency: "unbounded" })
          for (const [index, part] of [1, 0.5].entries()) Load.assertWithin(uses[index]!(), part)
          const { seconds, bytes } = whole()
          assert.isAtLeast(bytes, 0.6 * limits.bandwidth * seconds)
          // Of what was left, the half.
          Load.assertQuota(near.ofQuota() + far.ofQuota(), 1.5 * limits.quota)

          yield* meanwhile(all)
          yield* mend(all)
          yield* two.logged(found)
          for (const { bans } of [one, two]) yield* until(bans, (bans) => bans.join() === expected.join())
          // Together they have more than the limit, so nothing begins until enough has ended.
          assert.deepStrictEqual(yield* both(3), [[], []])
          yield* one.close(others.slice(0, limit / 2))
          assert.deepStrictEqual(yield* both(3), [[], []])
          yield* one.close(others.slice(limit / 2))
          const again: Array<Peer> = []
          const free = limit - before.length - more.length
          yield* until(both(limit), (begun) => again.push(...begun.flat()) >= free)
          assert.lengthOf(again, free)
          // Until all have renewed.
          yield* Effect.sleep("2 seconds")
          const after = [near.since(), far.since()]
          yield* Effect.sleep("2 seconds")
          const sums = after.map((used) => used())
          Load.assertWithin({
            seconds: Math.max(...sums.map(({ seconds }) => seconds)),
            begun: sums.reduce((sum, { begun }) => sum + begun, 0),
            bytes: sums.reduce((sum, { bytes }) => sum + bytes, 0)
          })
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
