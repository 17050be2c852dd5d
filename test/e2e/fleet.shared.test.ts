/**
 * Three servers with two workers each, on one Redis and one PostgreSQL: what they share beside leases.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Hashing from "../../src/auth/Hashing.ts"
import * as PasswordHash from "../../src/auth/PasswordHash.ts"
import * as Admin from "../support/admin.ts"
import { describeWith } from "../support/clients.ts"
import * as Load from "../support/fleet-load.ts"
import { proxyV1, request } from "../support/messages.ts"
import * as Postgres from "../support/postgres.ts"
import * as Program from "../support/program.ts"
import * as Redis from "../support/redis.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"
import * as Workers from "../support/workers.ts"

const names = ["one", "two", "three"] as const

/** A machine of a fleet, with two workers. */
const machine = Effect.fnUntraced(function* (
  store: Redis.Redis,
  name: string,
  stateDir: string,
  flags: ReadonlyArray<string> = []
) {
  const admin = `unix:${join(stateDir, "admin.sock")}`
  const server = yield* Workers.start([
    ...["--fleet", store.url, "--fleet-machine", name, "--fleet-lease", "1500ms", "--user", "alice:secret"],
    ...["--state-dir", stateDir, "--admin", admin, "--drain-timeout", "1s", ...flags]
  ])
  yield* server.logged({ message: "admin listens" })
  const token = readFileSync(join(stateDir, "admin-token"), "utf8").trim()
  const at = { socketPath: join(stateDir, "admin.sock"), token }
  /** A request to the admin API, which takes no process. */
  const api = (method: string, path: string, body?: unknown) =>
    Admin.ask(at, `/api${path}`, { method, ...(body !== undefined && { body }) })
  const run = (...args: ReadonlyArray<string>) =>
    Program.run([...args, "--admin", admin, "--state-dir", stateDir])
  return {
    ...server,
    name,
    api,
    run,
    json: (...args: ReadonlyArray<string>) =>
      Effect.map(run(...args, "--json"), ({ stdout }) => JSON.parse(stdout))
  }
})

type Machine = Effect.Success<ReturnType<typeof machine>>

/** Three of them. */
const fleet = Effect.fnUntraced(function* (store: Redis.Redis, flags: ReadonlyArray<string> = []) {
  return yield* Effect.forEach(
    names,
    (name) => Effect.flatMap(Temporary.directory, (stateDir) => machine(store, name, stateDir, flags)),
    { concurrency: "unbounded" }
  )
})

/** Asks again until it is so, and says which answer came last if it is not so within 20 seconds. */
const until = <A>(ask: Effect.Effect<A>, isSo: (answer: A) => boolean): Effect.Effect<A> =>
  Effect.gen(function* () {
    for (const end = Date.now() + 20_000; ; yield* Effect.sleep("50 millis")) {
      const answer = yield* ask
      if (isSo(answer)) return answer
      if (Date.now() > end) assert.fail(`the last answer was ${JSON.stringify(answer)}`)
    }
  })

/** A client whose address is that of a PROXY header, and what became of it. */
const from = Effect.fnUntraced(function* (
  { port }: Machine,
  address: string
): Effect.fn.Return<"admitted" | "refused" | "reset", string, Scope.Scope> {
  const client = yield* Tcp.connect(port)
  yield* client.send(proxyV1(`PROXY TCP4 ${address} 127.0.0.1 50000 1080`))
  const [, code] = yield* Tcp.authenticate(client, "alice", "secret")
  return code === undefined ? "reset" : code === 0 ? "admitted" : "refused"
})

const guess = ({ port }: Machine, address: string, password: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const client = yield* Tcp.connect(port)
      yield* client.send(proxyV1(`PROXY TCP4 ${address} 127.0.0.1 50000 1080`))
      return yield* Tcp.authenticate(client, "alice", password)
    })
  )

const proxied = ["--proxy-protocol-from", "127.0.0.1", "--private-targets", "allow", "--ban-after", "10"]

describeWith(["postgresql", "redis-server"], () => {
  describe("three machines share", () => {
    it.live("bans, guesses, and what operators do, also over a store that is killed and has forgotten", () =>
      Effect.gen(function* () {
        const store = yield* Redis.make()
        const machines = yield* fleet(store, proxied)
        const [one, two, three] = machines as [Machine, Machine, Machine]
        const all = (address: string, outcome: "admitted" | "reset") =>
          Effect.forEach(machines, (machine) =>
            until(Effect.orDie(Effect.scoped(from(machine, address))), (found) => found === outcome)
          )
        // Fewer than ten at each.
        for (let turn = 0; turn < 4; turn++) {
          for (const machine of machines) yield* guess(machine, "203.0.113.7", `${machine.name} ${turn}`)
        }
        yield* all("203.0.113.7", "reset")
        assert.deepStrictEqual(
          (yield* three.api("GET", "/bans")).json.map(({ network }: { readonly network: string }) => network),
          ["203.0.113.7/32"]
        )

        yield* two.api("POST", "/bans", { network: "198.51.100.0/24" })
        yield* all("198.51.100.1", "reset")
        yield* Load.apart
        yield* three.api("DELETE", "/bans/203.0.113.7")
        yield* all("203.0.113.7", "admitted")

        // What is banned without a store is known to all when there is one.
        yield* store.kill
        yield* one.api("POST", "/bans", { network: "192.0.2.0/24" })
        yield* store.start
        yield* all("192.0.2.1", "reset")
        yield* all("198.51.100.1", "reset")
        yield* all("203.0.113.7", "admitted")

        // One that was killed, and begins again.
        yield* one.kill("SIGKILL")
        const again = yield* machine(store, "one", yield* Temporary.directory, proxied)
        assert.strictEqual(yield* from(again, "192.0.2.1"), "reset")
        yield* store.command("FLUSHALL")
        yield* Load.apart
        yield* again.api("DELETE", `/bans/${encodeURIComponent("192.0.2.0/24")}`)
        yield* until(Effect.orDie(Effect.scoped(from(two, "192.0.2.1"))), (found) => found === "admitted")
        assert.strictEqual(yield* from(two, "198.51.100.1"), "reset")
      })
    )

    it.live("a quota, over a machine that is killed and one that comes back", () =>
      Effect.gen(function* () {
        const store = yield* Redis.make()
        const database = yield* Postgres.make()
        yield* database.start
        const quota = 8_000_000
        const flags = ["--monthly-quota", String(quota), "--usage-store", database.url]
        const directory = yield* Temporary.directory
        const first = yield* machine(store, "one", directory, flags)
        const others = yield* Effect.forEach(
          ["two", "three"],
          (name) => Effect.flatMap(Temporary.directory, (stateDir) => machine(store, name, stateDir, flags)),
          { concurrency: "unbounded" }
        )
        const target = yield* Tcp.target
        const session = (server: Machine) => Tcp.sessionOf("alice", server.port, target)
        /** Moves up to so many bytes by steps, and returns how many were moved before the session ended. */
        const move = Effect.fnUntraced(function* (
          { client, origin }: Effect.Success<ReturnType<typeof session>>,
          bytes: number
        ) {
          let ended = false
          const end = Effect.sync(() => {
            ended = true
          })
          yield* Effect.forkScoped(Effect.andThen(client.ending, end))
          let received = 0
          origin.duplex.on("data", (chunk: Buffer) => {
            received += chunk.length
          })
          for (let sent = 0; sent < bytes && !ended; sent += 50_000) {
            client.duplex.write(new Uint8Array(50_000))
            yield* Effect.sleep("40 millis")
          }
          return { received: () => received, ending: client.ending }
        })

        // The store is gone, so that what the first machine moves is in its journal only when it is killed.
        const begun = yield* session(first)
        yield* store.signal("SIGSTOP")
        const lost = yield* move(begun, 100_000)
        yield* Effect.sleep("2500 millis")
        yield* first.kill("SIGKILL")
        yield* store.signal("SIGCONT")
        assert.strictEqual(lost.received(), 100_000)

        const again = yield* machine(store, "one", directory, flags)
        const three = [again, ...others]
        const moved = yield* Effect.forEach(
          three,
          (server) => Effect.flatMap(Effect.orDie(session(server)), (begun) => move(begun, quota)),
          { concurrency: "unbounded" }
        )
        for (const { ending } of moved) assert.strictEqual(yield* ending, "reset")
        const total = 100_000 + moved.reduce((sum, { received }) => sum + received(), 0)
        assert.isAtLeast(total, quota)
        // Each machine tells the others at once after a MiB, and a busy machine later. Apart it would be three times the quota.
        assert.isAtMost(total, quota + 3 * 3_000_000)
        // The other worker of a machine knows a second later.
        for (const server of three) {
          const asked = Effect.gen(function* () {
            const client = yield* Tcp.connect(server.port)
            yield* Tcp.authenticate(client, "alice", "secret")
            yield* client.send(request("127.0.0.1", target.port))
            return (yield* client.receive(10))[1]
          })
          for (let turn = 0; turn < 4; turn++) {
            yield* until(Effect.orDie(Effect.scoped(asked)), (code) => code === 2)
          }
        }
        const reported = Effect.map(Program.run(["usage", "--csv", "--by", "user", ...flags]), ({ stdout }) =>
          Number(/^,alice,(\d+),0,/m.exec(stdout)?.[1])
        )
        // The last bytes are recorded a moment later. What was sent to a target that was reset need not have arrived.
        const recorded = yield* until(Effect.orDie(reported), (bytes) => bytes >= total)
        assert.isAtMost(recorded, total + 1_000_000)
      })
    )

    it.live(
      "users: one who is disabled is out everywhere within a second, and known to one that comes back",
      () =>
        Effect.gen(function* () {
          const store = yield* Redis.make()
          const hash = PasswordHash.format(yield* Hashing.hash(new TextEncoder().encode("secret"), 15))
          const directories = [yield* Temporary.directory, yield* Temporary.directory] as const
          const start = (index: 0 | 1) => {
            const users = join(directories[index], "users")
            if (!existsSync(users)) writeFileSync(users, `bob:${hash}\ncarol:${hash}\n`)
            return machine(store, names[index], directories[index], ["--users-file", users])
          }
          const machines = yield* Effect.all([start(0), start(1)], { concurrency: "unbounded" })
          const [one, two] = machines
          const { client } = yield* Tcp.sessionOf("bob", two.port, yield* Tcp.target)
          assert.strictEqual((yield* one.api("PATCH", "/users/bob", { enabled: false })).status, 204)
          const answered = performance.now()
          assert.strictEqual(yield* client.ending, "reset")
          assert.isBelow(performance.now() - answered, 1500)
          for (const { port } of machines) {
            assert.deepStrictEqual(yield* Tcp.logIn(port, "bob", "secret"), [1, 1])
            assert.deepStrictEqual(yield* Tcp.logIn(port, "carol", "secret"), [1, 0])
          }

          yield* two.kill("SIGKILL")
          assert.strictEqual((yield* one.api("DELETE", "/users/carol")).status, 204)
          const again = yield* start(1)
          yield* until(Effect.orDie(Tcp.logIn(again.port, "carol", "secret")), ([, code]) => code === 1)
          assert.strictEqual((yield* again.api("PATCH", "/users/bob", { enabled: true })).status, 204)
          yield* until(Effect.orDie(Tcp.logIn(one.port, "bob", "secret")), ([, code]) => code === 0)
        })
    )
  })
})
