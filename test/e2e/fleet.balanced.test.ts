/**
 * Three servers with two workers each behind HAProxy, with one Redis and one PostgreSQL: what holds in total for clients
 * who do not know which server they get, under load, while servers and the store are killed, stand still and come back.
 */
import { renameSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import type { Peer } from "../../src/testing/index.ts"
import * as Admin from "../support/admin.ts"
import * as Balancer from "../support/balancer.ts"
import { certificate } from "../support/certificates.ts"
import { describeWith } from "../support/clients.ts"
import * as Load from "../support/fleet-load.ts"
import { proxyV1, request } from "../support/messages.ts"
import * as Postgres from "../support/postgres.ts"
import * as Program from "../support/program.ts"
import { pour } from "../support/rates.ts"
import * as Redis from "../support/redis.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"
import * as Workers from "../support/workers.ts"

const limit = Load.limits.sessions

const config = (store: string, database: string) => `
workers: 2
fleet: ${store}
fleet-lease: 2s
usage-store: ${database}
proxy-protocol-from: 127.0.0.1
allow-target: 127.0.0.1
ban-after: 10
drain-timeout: 2s
${Load.users()}
`

const token = "0123456789-abcdefghij"
const password = "s3cr3t"

/** A server of a fleet, which can be replaced by another one in its place. */
interface Machine {
  readonly name: string
  readonly start: Effect.Effect<void>
  /** The process that runs now. */
  readonly program: () => Program.Program
  readonly isRunning: () => boolean
  /** Kills all processes of it. */
  readonly kill: Effect.Effect<void>
  /** Has it stop, as a system does. */
  readonly stop: Effect.Effect<void>
  /** Sends a signal to all processes of it. */
  readonly signal: (signal: NodeJS.Signals) => void
  readonly api: (method: string, path: string, body?: unknown) => Effect.Effect<Admin.Answer>
  /** What a command of the program prints that asks this server. */
  readonly run: (...args: ReadonlyArray<string>) => Effect.Effect<string>
}

const machine = Effect.fnUntraced(function* (file: string, number: number, port: number, scope: Scope.Scope) {
  const name = `socks${number}`
  const directory = yield* Temporary.directory
  const socketPath = join(directory, "admin.sock")
  const flags = [
    ...["--config", file, "--listen", `${Balancer.hostOf(number)}:${port}`, "--fleet-machine", name],
    ...["--state-dir", directory, "--admin", `unix:${socketPath}`, "--admin-token", token]
  ]
  let current: Program.Program | undefined
  let isRunning = false
  let place = yield* Scope.fork(scope)
  const signal = (signal: NodeJS.Signals) => void process.kill(-current!.pid!, signal)
  const start = Effect.gen(function* () {
    // A test that failed may have left a program that begins.
    yield* Scope.close(place, Exit.void)
    place = yield* Scope.fork(scope)
    current = yield* Scope.provide(Program.start(flags), place)
    yield* current.sinceStart({ message: "admin listens" })
    isRunning = true
  })
  const own: Machine = {
    name,
    start,
    signal,
    program: () => current!,
    isRunning: () => isRunning,
    kill: Effect.gen(function* () {
      isRunning = false
      signal("SIGKILL")
      yield* current!.within("5 seconds")
    }),
    stop: Effect.gen(function* () {
      isRunning = false
      yield* current!.kill("SIGTERM")
      yield* current!.within("10 seconds")
    }),
    api: (method, path, body) =>
      Admin.ask({ socketPath, token }, `/api${path}`, { method, ...(body !== undefined && { body }) }),
    run: (...args) =>
      Effect.map(
        Program.run([...args, "--admin", `unix:${socketPath}`, "--admin-token", token]),
        ({ stdout, stderr }) => stdout + stderr
      )
  }
  return own
})

/** The whole of it, once for all tests of this file. */
const make = Effect.gen(function* () {
  const scope = yield* Effect.scope
  const [storePort, database] = [yield* Workers.freePort, yield* Postgres.make()]
  const store = yield* Redis.make({
    ...{ password, port: storePort },
    flags: ["--repl-diskless-sync-delay", "0"]
  })
  yield* database.start
  const directory = yield* Temporary.directory
  // Where machines find their store, which can be another one.
  const path = join(directory, "store.sock")
  const leadTo = ({ socket }: Redis.Redis) =>
    Effect.sync(() => {
      symlinkSync(socket, `${path}.new`)
      renameSync(`${path}.new`, path)
    })
  yield* leadTo(store)
  const file = join(directory, "fleet.yaml")
  writeFileSync(file, config(`redis+unix://:${password}@localhost${path}`, database.url))
  const port = yield* Workers.freePort
  const machines = yield* Effect.forEach([1, 2, 3], (number) => machine(file, number, port, scope))
  const startAll = Effect.suspend(() =>
    Effect.forEach(
      machines.filter(({ isRunning }) => !isRunning()),
      ({ start }) => start,
      { concurrency: "unbounded", discard: true }
    )
  )
  yield* startAll
  const { cert } = certificate(yield* Temporary.directory, "ca", "/CN=localhost")
  const place = { port, adminPort: port, backend: "effect-socks", isBehindProxy: true } as const
  const balancer = yield* Balancer.start(place, cert, machines.length)
  const [target, source] = [yield* Tcp.target, yield* Tcp.target]
  // The one ends what its client has ended: of a client that is reset early HAProxy tells the server no more than that.
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.flatMap(target.accept, ({ ending, end }) => Effect.forkScoped(Effect.andThen(ending, end)))
    )
  )
  yield* Effect.forkScoped(
    Effect.forever(Effect.flatMap(source.accept, ({ duplex }) => Effect.sync(() => pour(duplex))))
  )
  /** As it was before a test, also where that has failed. */
  const mended = Effect.gen(function* () {
    yield* store.signal("SIGCONT")
    if ((yield* store.command("PING")) === "") yield* store.start
    yield* leadTo(store)
    yield* startAll
    yield* balancer.sends("socks1", "socks2", "socks3")
    for (const { api } of machines) {
      while ((yield* api("GET", "/fleet")).json.machines.length < machines.length)
        yield* Effect.sleep("50 millis")
    }
  })
  let clients = 0
  const connect = Effect.fnUntraced(function* (address: string) {
    // HAProxy limits what comes from one address.
    const client = yield* Tcp.connect(balancer.port, "127.0.0.1", `127.0.1.${1 + (clients++ % 250)}`)
    // The target ends nothing by itself.
    yield* Effect.addFinalizer(() => Load.reset(client))
    yield* client.send(proxyV1(`PROXY TCP4 ${address} 127.0.0.1 50000 1080`))
    return client
  })
  /** A client of a server that HAProxy chooses, and the code of the reply; none where the connection ended. */
  const ask = Effect.fnUntraced(function* (
    user: string,
    to: number = target.port
  ): Effect.fn.Return<{ readonly client: Peer; readonly code: number | undefined }, string, Scope.Scope> {
    const client = yield* connect("192.0.2.1")
    const [, code] = yield* Tcp.authenticate(client, user, "secret")
    if (code !== 0) return { client, code: undefined }
    yield* client.send(request("127.0.0.1", to))
    return { client, code: (yield* client.receive(10))[1] }
  })
  /** The sessions that begin of so many. */
  const begin = (user: string, count: number) =>
    Effect.map(Effect.replicateEffect(ask(user), count, { concurrency: 40 }), (asked) =>
      asked.flatMap(({ client, code }) => (code === 0 ? [client] : []))
    )
  const way: Load.Way = { ask, silent: target.port, pouring: source.port }
  return { store, storePort, leadTo, file, machines, balancer, mended, connect, way, begin }
})

type Fleet = Effect.Success<typeof make>

const scope = Scope.makeUnsafe()
const started = Effect.runSync(Effect.cached(Scope.provide(make, scope)))
const whole = Effect.tap(started, ({ mended }) => mended)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

/** Bans over a fault: one holds, one is lifted meanwhile, and one is made. */
const bansOver = Effect.fnUntraced(function* ({ machines }: Fleet) {
  const networks = ["198.51.100.1/32", "198.51.100.2/32", "198.51.100.3/32"] as const
  const [held, lifted, made] = networks
  const ban = ({ api }: Machine, network: string) => api("POST", "/bans", { network })
  const lift = ({ api }: Machine, network: string) => api("DELETE", `/bans/${encodeURIComponent(network)}`)
  /** Completes when each machine has these, and no others. */
  const are = (...expected: ReadonlyArray<string>) =>
    Effect.forEach(
      machines,
      ({ api }) =>
        Effect.repeat(
          Effect.map(api("GET", "/bans"), ({ json }) =>
            json.map(({ network }: { readonly network: string }) => network).sort()
          ),
          { until: (found) => found.join() === expected.join(), schedule: Schedule.spaced("50 millis") }
        ),
      { discard: true }
    )
  yield* ban(machines[0]!, held)
  yield* ban(machines[0]!, lifted)
  yield* are(held, lifted)
  const isLater = yield* Effect.forkScoped(Load.apart)
  return {
    change: (one: Machine, other: Machine) =>
      Fiber.join(isLater).pipe(Effect.andThen(lift(one, lifted)), Effect.andThen(ban(other, made))),
    /** Completes when all is as it was said last. */
    hold: Effect.gen(function* () {
      yield* are(held, made)
      for (const network of [held, made]) yield* lift(machines[0]!, network)
      yield* are()
    })
  }
})

/** The fleet, of which clients use each limit and this account. */
const underLoad = Effect.fnUntraced(function* (account: string) {
  const fleet = yield* whole
  const { counts, goesOn, flowing, since, spent, ofQuota } = yield* Load.all(fleet.way, account)
  yield* flowing
  const used = since()
  const bans = yield* bansOver(fleet)
  yield* goesOn(50)
  /** Asserts that bans, rates and the quota held, with so many seconds of the rate of sessions at once. */
  const hold = Effect.fnUntraced(function* (bursts = 1) {
    yield* bans.hold
    yield* spent
    Load.assertWithin(used(), 1, bursts)
    Load.assertQuota(ofQuota(), Load.limits.quota)
  })
  return { ...fleet, counts, goesOn, change: bans.change, hold }
})

const close = (clients: ReadonlyArray<Peer>) =>
  Effect.andThen(Effect.forEach(clients, Load.reset), Effect.sleep("300 millis"))

/** Milliseconds for tests that start servers while all of them are busy. */
const busy = 120_000

const lost = { message: "this machine has lost its fleet: its leases have ended" }
const found = { message: "this machine is in its fleet again" }

describeWith(["haproxy", "postgresql", "redis-server"], () => {
  it.live(
    "each limit in total, under load, with the usage of all in one database",
    () =>
      Effect.gen(function* () {
        const { way, begin, file } = yield* whole
        const bytes = yield* Effect.scoped(
          Effect.gen(function* () {
            const load = yield* Load.all(way, "dave1")
            yield* load.flowing
            // Buckets begin full.
            yield* Effect.sleep("2 seconds")
            const used = load.since()
            yield* load.goesOn(100)
            yield* load.spent
            const { seconds, ...rest } = used()
            Load.assertWithin({ seconds, ...rest }, 1, 0.5)
            assert.isAtLeast(rest.begun, 0.3 * Load.limits.rate * seconds)
            assert.isAtLeast(rest.bytes, 0.6 * Load.limits.bandwidth * seconds)
            assert.isAtMost(load.counts.most, limit)
            const bytes = load.ofQuota()
            Load.assertQuota(bytes, Load.limits.quota)
            assert.isAtLeast(bytes, 0.9 * Load.limits.quota)
            return bytes
          })
        )
        const recorded = Effect.map(
          Program.run(["usage", "--config", file, "--csv", "--by", "user"]),
          ({ stdout }) => Number(/^,dave1,\d+,(\d+),/m.exec(stdout)?.[1])
        )
        while (!((yield* recorded) >= bytes)) yield* Effect.sleep("200 millis")
        yield* Effect.sleep("300 millis")
        assert.lengthOf(yield* begin("alice", limit + 30), limit)
      }),
    busy
  )

  it.live("guesses that HAProxy spreads lead to a ban on all machines", () =>
    Effect.gen(function* () {
      const { connect, machines } = yield* whole
      // No server has had ten of them.
      const guess = (password: string) =>
        Effect.scoped(
          Effect.flatMap(connect("203.0.113.7"), (client) => Tcp.authenticate(client, "alice", password))
        )
      const [first] = machines
      const bans = Effect.map(first!.api("GET", "/bans"), ({ text }) => text)
      let guesses = 0
      while (!(yield* bans).includes("203.0.113.7")) {
        yield* guess(`wrong ${++guesses}`)
        // Those that come too soon are refused unseen.
        yield* Effect.sleep("100 millis")
      }
      // Everywhere within a second.
      const known = performance.now()
      const isBanned = Effect.map(Effect.replicateEffect(guess("wrong"), 6), (answers) =>
        answers.every(([, code]) => code === undefined)
      )
      while (!(yield* isBanned)) yield* Effect.sleep("20 millis")
      assert.isBelow(performance.now() - known, 2000)
      yield* first!.api("DELETE", "/bans/203.0.113.7")
      while ((yield* guess("secret"))[1] !== 0) yield* Effect.sleep("50 millis")
    })
  )

  it.live("a view of all machines from any of them, which steers them", () =>
    Effect.gen(function* () {
      const { machines, begin } = yield* whole
      const [one, two, three] = machines as [Machine, Machine, Machine]
      const held = yield* begin("alice", 3)
      const { json: found } = yield* one.api("GET", "/fleet/sessions")
      assert.deepInclude(found, { total: 3, missing: [], storeLost: false })
      const machineOf = ({ machine }: { readonly machine: string }) => machine
      assert.deepStrictEqual(found.rows.map(machineOf).sort(), ["socks1", "socks2", "socks3"])
      assert.match(yield* two.run("fleet"), /^MACHINE .*\nsocks1 +ready .*\nsocks2 +ready .*\nsocks3 +ready /)

      const [row] = found.rows.filter((row: { readonly machine: string }) => row.machine === "socks3")
      assert.strictEqual((yield* one.api("DELETE", `/fleet/socks3/sessions/${row.id}`)).status, 204)
      yield* three.program().logged({ message: "session", outcome: "ended by operator" })
      assert.strictEqual((yield* one.api("DELETE", "/fleet/socks4/sessions/1")).status, 404)

      yield* two.api("POST", "/fleet/socks3/drain")
      const { json: drained } = yield* one.api("GET", "/fleet")
      assert.deepStrictEqual(
        drained.machines.map(
          ({ status }: { readonly status: { readonly draining: boolean } }) => status.draining
        ),
        [false, false, true]
      )
      yield* two.api("DELETE", "/fleet/socks3/drain")
      const { json: reloaded } = yield* one.api("POST", "/fleet/reload")
      assert.deepStrictEqual(reloaded, { reloaded: ["socks1", "socks2", "socks3"], failed: null, left: [] })
      yield* close(held)
    })
  )

  it.live("a machine that stands still: the others answer for it, and take over its clients", () =>
    Effect.gen(function* () {
      const { machines, balancer, begin } = yield* whole
      const [first, second] = machines as [Machine, Machine, Machine]
      const held = yield* begin("alice", 9)
      const others = held.length - (yield* second.api("GET", "/sessions")).json.length
      second.signal("SIGSTOP")
      yield* Effect.gen(function* () {
        const timed = Effect.fnUntraced(function* (answer: Effect.Effect<Admin.Answer>) {
          const asked = performance.now()
          const { status, json } = yield* answer
          assert.isBelow(performance.now() - asked, 6000)
          return { status, json }
        })
        // At once, as the store forgets it when its lease has ended.
        const [sessions, drained, reload] = yield* Effect.all(
          [
            timed(first.api("GET", "/fleet/sessions")),
            timed(first.api("POST", "/fleet/socks2/drain")),
            timed(first.api("POST", "/fleet/reload"))
          ],
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual([sessions.json.total, sessions.json.missing], [others, ["socks2"]])
        assert.strictEqual(drained.status, 504)
        assert.deepInclude(reload.json, { reloaded: ["socks1"], left: ["socks2", "socks3"] })
        // What the store has is known to the others, and to this machine when it goes on.
        yield* first.api("POST", "/bans", { network: "198.51.100.0/24" })
        yield* balancer.sends("socks1", "socks3")
        const more = yield* begin("alice", 12)
        assert.lengthOf(more, 12)
      }).pipe(Effect.ensuring(Effect.sync(() => second.signal("SIGCONT"))))
      const bans = Effect.map(second.api("GET", "/bans"), ({ json }) => JSON.stringify(json))
      while (!(yield* bans).includes("198.51.100.0/24")) yield* Effect.sleep("50 millis")
      yield* first.api("DELETE", `/bans/${encodeURIComponent("198.51.100.0/24")}`)
      yield* close(held)
    })
  )

  it.live(
    "each limit, under load, while machines are killed, stand still and start again",
    () =>
      Effect.gen(function* () {
        const { machines, counts, goesOn, change, hold } = yield* underLoad("dave2")
        const [first, second, third] = machines as [Machine, Machine, Machine]
        yield* second.kill
        yield* change(first, third)
        // Those of the others, and then those that it had, too.
        yield* goesOn(120)
        assert.isAtMost(counts.most, limit)

        const open = (yield* third.api("GET", "/sessions?user=alice")).json.length
        third.signal("SIGSTOP")
        yield* Effect.all([second.start, goesOn(100)], { concurrency: "unbounded" }).pipe(
          Effect.ensuring(Effect.sync(() => third.signal("SIGCONT")))
        )
        // Those that it had were not ended.
        assert.isAtMost(counts.most, limit + open)
        yield* goesOn(50)
        counts.most = counts.open
        yield* Effect.all([first.stop, goesOn(50)], { concurrency: "unbounded" })
        yield* first.start
        yield* goesOn(100)
        assert.isAtMost(counts.most, limit)
        yield* hold()
      }),
    busy
  )

  it.live("each limit, under load, while the store stands still, is killed and has forgotten", () =>
    Effect.gen(function* () {
      const { store, machines, counts, goesOn, change, hold } = yield* underLoad("dave3")
      /** Completes when all machines have logged this once more. */
      const all = (line: Program.Line) => {
        const before = machines.map(
          ({ program }) =>
            program()
              .lines()
              .filter(({ message }) => message === line.message).length
        )
        return Effect.forEach(machines, ({ program }, index) => program().logged(line, before[index]! + 1), {
          concurrency: "unbounded"
        })
      }
      const [areLost, areFound] = [all(lost), all(found)]
      yield* store.signal("SIGSTOP")
      yield* change(machines[0]!, machines[1]!)
      yield* areLost
      yield* goesOn(50)
      yield* store.kill
      yield* store.start
      yield* areFound
      yield* goesOn(50)
      // What each had without it, and what the others had of it.
      assert.isAtMost(counts.most, 2 * limit)
      // No session lasts so long.
      yield* Effect.sleep("1 second")
      counts.most = counts.open
      yield* store.command("FLUSHALL")
      yield* goesOn(100)
      assert.isAtMost(counts.most, limit)
      // A second of the rate at once for the store, for the machines without it, and for the store again.
      yield* hold(3)
    })
  )

  it.live("each limit, under load, when a replica takes over that lacks the last seconds", () =>
    Effect.gen(function* () {
      const { store, storePort, leadTo, machines, counts, goesOn, change, hold } = yield* underLoad("dave4")
      const replica = yield* Redis.replica(storePort, { password })
      yield* replica.command("REPLICAOF", "NO", "ONE")
      yield* change(machines[0]!, machines[1]!)
      yield* goesOn(150)
      yield* store.kill
      yield* leadTo(replica)
      yield* goesOn(150)
      assert.isAtMost(counts.most, limit)
      yield* hold()
    })
  )
})
