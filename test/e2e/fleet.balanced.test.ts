/**
 * Three servers with two workers each behind HAProxy, with one Redis and one PostgreSQL: what holds in total for clients
 * who do not know which server they get, under load, while servers and the store are killed, stand still and come back.
 */
import { writeFileSync } from "node:fs"
import type { Socket } from "node:net"
import { join } from "node:path"
import { afterAll, assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Peer } from "../../src/testing/index.ts"
import * as Admin from "../support/admin.ts"
import * as Balancer from "../support/balancer.ts"
import { certificate } from "../support/certificates.ts"
import { describeWith } from "../support/clients.ts"
import { proxyV1, request } from "../support/messages.ts"
import * as Postgres from "../support/postgres.ts"
import * as Program from "../support/program.ts"
import { pour } from "../support/rates.ts"
import * as Redis from "../support/redis.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"
import * as Workers from "../support/workers.ts"

const limit = 50

const config = (store: string, database: string) => `
workers: 2
fleet: ${store}
fleet-lease: 2s
usage-store: ${database}
proxy-protocol-from: 127.0.0.1
allow-target: 127.0.0.1
ban-after: 10
drain-timeout: 2s
users:
  - { name: alice, password: secret, limits: { sessions: ${limit} } }
  - { name: bob, password: secret, limits: { session-rate: 10 } }
  - { name: carol, password: secret, limits: { download: 600KiB } }
  - { name: dave, password: secret, limits: { monthly-quota: 4MiB } }
`

const token = "0123456789-abcdefghij"

/** A server of a fleet, which can be replaced by another one in its place. */
interface Machine {
  readonly name: string
  readonly start: Effect.Effect<void>
  /** The process that runs now. */
  readonly program: () => Program.Program
  readonly isRunning: () => boolean
  /** Kills all processes of it. */
  readonly kill: Effect.Effect<void>
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
  const signal = (signal: NodeJS.Signals) => void process.kill(-current!.pid!, signal)
  const start = Effect.gen(function* () {
    current = yield* Scope.provide(Program.start(flags), scope)
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
  const [store, database] = [yield* Redis.make({ password: "s3cr3t" }), yield* Postgres.make()]
  yield* database.start
  const file = join(yield* Temporary.directory, "fleet.yaml")
  writeFileSync(file, config(store.url, database.url))
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
  const target = yield* Tcp.target
  /** As it was before a test, also where that has failed. */
  const mended = Effect.gen(function* () {
    yield* store.signal("SIGCONT")
    if ((yield* store.command("PING")) === "") yield* store.start
    yield* startAll
    yield* balancer.sends("socks1", "socks2", "socks3")
  })
  let clients = 0
  const connect = Effect.fnUntraced(function* (address: string) {
    // HAProxy limits what comes from one address.
    const client = yield* Tcp.connect(balancer.port, "127.0.0.1", `127.0.1.${1 + (clients++ % 250)}`)
    // The target ends nothing by itself.
    yield* Effect.addFinalizer(() => reset(client))
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
  return { store, database, file, machines, balancer, target, mended, connect, ask, begin }
})

type Fleet = Effect.Success<typeof make>

const scope = Scope.makeUnsafe()
const started = Effect.runSync(Effect.cached(Scope.provide(make, scope)))
const whole = Effect.tap(started, ({ mended }) => mended)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

/**
 * Clients of alice's that begin sessions and end them all the time, more than she may have. A session counts from the
 * reply until its client begins to end it, so never for longer than it has its place.
 */
const load = Effect.fnUntraced(function* ({ ask, target }: Fleet) {
  const counts = { open: 0, most: 0, begun: 0 }
  // What the target accepts is of no interest.
  yield* Effect.forkScoped(Effect.forever(target.accept))
  const once = Effect.gen(function* () {
    const { client, code } = yield* ask("alice")
    if (code !== 0) return yield* Effect.sleep("1 second")
    counts.open++
    counts.begun++
    counts.most = Math.max(counts.most, counts.open)
    yield* Effect.raceFirst(client.ending, Effect.sleep(500 + Math.random() * 1000))
    counts.open--
  }).pipe(
    Effect.scoped,
    Effect.catch(() => Effect.sleep("1 second"))
  )
  const fibers = Array.from({ length: limit + 8 }, () => Effect.forkScoped(Effect.forever(once)))
  yield* Effect.all(fibers)
  /** Completes when so many more sessions have begun. */
  const goesOn = (count: number) =>
    Effect.suspend(() => {
      const from = counts.begun
      const wait: Effect.Effect<void> = Effect.suspend(() =>
        counts.begun - from >= count ? Effect.void : Effect.andThen(Effect.sleep("20 millis"), wait)
      )
      return wait
    })
  return { counts, goesOn }
})

const close = (clients: ReadonlyArray<Peer>) =>
  Effect.andThen(Effect.forEach(clients, reset), Effect.sleep("300 millis"))

const reset = ({ duplex }: Peer) => Effect.sync(() => void (duplex as Socket).resetAndDestroy())

const lost = { message: "this machine has lost its fleet: its leases have ended" }
const found = { message: "this machine is in its fleet again" }

describeWith(["haproxy", "postgresql", "redis-server"], () => {
  it.live(
    "a number of sessions, exactly, under load, while servers are killed, stopped and started again",
    () =>
      Effect.gen(function* () {
        const fleet = yield* whole
        const [, second, third] = fleet.machines as [Machine, Machine, Machine]
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { counts, goesOn } = yield* load(fleet)
            yield* goesOn(100)
            yield* second.kill
            // Those of the others, and then those that it had, too.
            yield* goesOn(150)
            yield* third.program().kill("SIGTERM")
            yield* Effect.all([second.start, third.program().within("10 seconds"), goesOn(50)], {
              concurrency: "unbounded"
            })
            yield* third.start
            yield* goesOn(100)
            assert.isAtMost(counts.most, limit)
            // All of them, at some time.
            assert.isAtLeast(counts.most, limit - 5)
          })
        )
      })
  )

  it.live(
    "a number of sessions under load, within twice the limit while the store is gone, and exactly afterwards",
    () =>
      Effect.gen(function* () {
        const fleet = yield* whole
        const { store, machines } = fleet
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { counts, goesOn } = yield* load(fleet)
            yield* goesOn(50)
            const times = machines.map(
              ({ program }) =>
                program()
                  .lines()
                  .filter(({ message }) => message === found.message).length
            )
            yield* store.signal("SIGSTOP")
            yield* Effect.forEach(
              machines,
              ({ program }, index) => program().logged(lost, times[index]! + 1),
              {
                concurrency: "unbounded"
              }
            )
            yield* goesOn(50)
            yield* store.kill
            yield* store.start
            yield* Effect.forEach(
              machines,
              ({ program }, index) => program().logged(found, times[index]! + 1),
              {
                concurrency: "unbounded"
              }
            )
            yield* goesOn(50)
            assert.isAtMost(counts.most, 2 * limit)
            // No session lasts so long.
            yield* Effect.sleep("1600 millis")
            counts.most = 0
            yield* store.command("FLUSHALL")
            yield* goesOn(100)
            assert.isAtMost(counts.most, limit)
          })
        )
        yield* Effect.sleep("300 millis")
        assert.lengthOf(yield* fleet.begin("alice", limit + 30), limit)
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
      second.signal("SIGSTOP")
      yield* Effect.gen(function* () {
        const timed = Effect.fnUntraced(function* (answer: Effect.Effect<Admin.Answer>) {
          const asked = performance.now()
          const { status, json } = yield* answer
          assert.isBelow(performance.now() - asked, 3500)
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
        assert.deepStrictEqual([sessions.json.total, sessions.json.missing], [6, ["socks2"]])
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

  it.live("a rate of new sessions, bandwidth, and bans for guesses", () =>
    Effect.gen(function* () {
      const { connect, ask, begin, machines } = yield* whole
      const target = yield* Tcp.target
      const startedAt = performance.now()
      const many = yield* begin("bob", 36)
      const seconds = (performance.now() - startedAt) / 1000
      assert.isAtLeast(many.length, 10)
      // And what was leased before: a fifth of a second of it.
      assert.isAtMost(many.length, 10 + 2 + Math.ceil(10 * seconds))

      const meter = { bytes: 0 }
      const origins: Array<Peer> = []
      for (let count = 0; count < 6; count++) {
        const { client, code } = yield* ask("carol", target.port)
        assert.strictEqual(code, 0)
        client.duplex.removeAllListeners("data").on("data", ({ length }: Buffer) => {
          meter.bytes += length
        })
        const origin = yield* target.accept
        pour(origin.duplex)
        origins.push(origin)
      }
      yield* Effect.sleep("2 seconds")
      const [before, since] = [meter.bytes, performance.now()]
      yield* Effect.sleep("2 seconds")
      const rate = (meter.bytes - before) / 1024 / ((performance.now() - since) / 1000)
      assert.isAtMost(rate, 600 * 1.15)
      assert.isAtLeast(rate, 600 * 0.6)
      yield* close(origins)

      // HAProxy spreads the guesses, so that no server has had ten of them.
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

  it.live("a quota, with the usage of all in one database", () =>
    Effect.gen(function* () {
      const { ask, file } = yield* whole
      const target = yield* Tcp.target
      const quota = 4 * 1024 * 1024
      const sessions = yield* Effect.replicateEffect(
        Effect.gen(function* () {
          const { client, code } = yield* ask("dave", target.port)
          assert.strictEqual(code, 0)
          const origin = yield* target.accept
          const meter = { bytes: 0 }
          origin.duplex.on("data", ({ length }: Buffer) => {
            meter.bytes += length
          })
          return { client, meter }
        }),
        6
      )
      yield* Effect.forEach(
        sessions,
        ({ client }) =>
          Effect.raceFirst(
            client.ending,
            Effect.forever(
              Effect.andThen(
                Effect.sync(() => client.duplex.write(new Uint8Array(10_000))),
                Effect.sleep("40 millis")
              )
            )
          ),
        { concurrency: "unbounded" }
      )
      const total = sessions.reduce((sum, { meter }) => sum + meter.bytes, 0)
      assert.isAtLeast(total, quota)
      // What each machine moves in a second or so, at half a megabyte a second: apart it would be three times the quota.
      assert.isAtMost(total, quota * 2)
      let code: number | undefined = 0
      while (code === 0) code = (yield* ask("dave")).code
      const recorded = Effect.map(
        Program.run(["usage", "--config", file, "--csv", "--by", "user"]),
        ({ stdout }) => Number(/^,dave,(\d+),/m.exec(stdout)?.[1])
      )
      while (!((yield* recorded) >= total)) yield* Effect.sleep("200 millis")
    })
  )
})
