/**
 * Limits of several processes that serve as one: they hold for all of them
 * together, to the last session.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Hashing from "../../src/auth/Hashing.ts"
import * as PasswordHash from "../../src/auth/PasswordHash.ts"
import type { Peer } from "../../src/testing/index.ts"
import * as Stores from "../../src/usage/Stores.ts"
import { proxyV1, request } from "../support/messages.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"
import * as Workers from "../support/workers.ts"

/** Asks for a session of a user's: the client's end, and the reply. */
const ask = Effect.fnUntraced(function* (
  port: number,
  target: number,
  user = "alice"
): Effect.fn.Return<{ readonly client: Peer; readonly code: number }, string, Scope.Scope> {
  const client = yield* Tcp.connect(port)
  yield* Tcp.authenticate(client, user, "secret")
  yield* client.send(request("127.0.0.1", target))
  return { client, code: (yield* client.receive(10))[1]! }
})

/** Threads of a process that compute hashes, which have the lowest priority: proc_pid_stat(5), field 19. */
const hashingThreads = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`).filter((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8")
    return stat.replace(/^.*\) /s, "").split(" ")[16] === "19"
  }).length

const alice = ["--user", "alice:secret"]

describe.concurrent("limits of several workers", () => {
  it.live("of sessions are exact for a user and for all, and a dead worker frees its sessions", () =>
    Effect.gen(function* () {
      const [limit, all] = [21, 28]
      const limits = ["--max-sessions-per-user", String(limit), "--max-sessions", String(all)]
      const server = yield* Workers.start([...alice, "--user", "bob:secret", ...limits])
      const pids = yield* server.pids
      const target = yield* Tcp.target
      const many = (count: number, user?: string) =>
        Effect.forEach(Array.from({ length: count }), () => ask(server.port, target.port, user), {
          concurrency: "unbounded"
        })
      const asked = yield* many(60)
      const open = asked.filter(({ code }) => code === 0)
      assert.lengthOf(open, limit)
      assert.lengthOf(
        asked.filter(({ code }) => code === 2),
        60 - limit
      )
      // What is left for somebody else.
      const others = yield* Effect.scoped(many(20, "bob"))
      assert.lengthOf(
        others.filter(({ code }) => code === 0),
        all - limit
      )
      yield* server.logged({ message: "session", outcome: "TooManySessions", limit: all })
      const servers = Workers.serversOf(
        open.map(({ client }) => client),
        pids
      )

      // The kernel may give one worker more than the other, and seldom even all.
      const [victim] = servers
      const lost = servers.filter((pid) => pid === victim).length
      process.kill(victim!, "SIGKILL")
      yield* server.logged({ message: "a worker died" })
      yield* server.pids
      const again = yield* many(40)
      assert.lengthOf(
        again.filter(({ code }) => code === 0),
        lost
      )
    })
  )

  it.live("of new sessions a second are exact", () =>
    Effect.gen(function* () {
      const target = yield* Tcp.target
      const fast = yield* Workers.start([...alice, "--session-rate", "5"])
      const startedAt = performance.now()
      const codes = yield* Effect.forEach(
        Array.from({ length: 60 }),
        () => Effect.map(ask(fast.port, target.port), ({ code }) => code),
        { concurrency: "unbounded" }
      )
      const begun = codes.filter((code) => code === 0).length
      assert.isAtLeast(begun, 5)
      // A machine that is busy takes longer than a second for them.
      assert.isAtMost(begun, 5 + Math.ceil(((performance.now() - startedAt) / 1000) * 5))
      yield* fast.logged({ message: "session", outcome: "TooManyNewSessions", retryAfter: 1 })
    })
  )

  it.live("of failed logins count over all workers, and all know the ban", () =>
    Effect.gen(function* () {
      const file = join(yield* Temporary.directory, "bans.jsonl")
      const proxied = ["--proxy-protocol-from", "127.0.0.1", "--ban-after", "10", "--bans-file", file]
      const server = yield* Workers.start([...alice, ...proxied])
      const pids = yield* server.pids
      const announced = Effect.fnUntraced(function* (source: string) {
        const client = yield* Tcp.connect(server.port)
        yield* client.send(proxyV1(`PROXY TCP4 ${source} 127.0.0.1 50000 1080`))
        return client
      })
      const logIn = (source: string, password: string, user = "alice") =>
        Effect.scoped(Effect.flatMap(announced(source), (client) => Tcp.authenticate(client, user, password)))
      for (let n = 0; n < 10; n++) {
        assert.deepStrictEqual(yield* logIn("203.0.113.7", `guess ${n}`), [1, 1])
      }
      // A program with an old password is one guess, whichever worker it comes to, and who is known is heard.
      assert.deepStrictEqual(yield* logIn("203.0.113.10", "secret"), [1, 0])
      for (let n = 0; n < 10; n++) {
        if (n % 3 === 0) assert.deepStrictEqual(yield* logIn("203.0.113.9", "old"), [1, 1])
        assert.deepStrictEqual(yield* logIn("203.0.113.10", "guess", `other ${n}`), [1, 1])
      }
      yield* server.logged({ message: "banned", network: "203.0.113.10/32" })
      yield* server.logged({ message: "banned", network: "203.0.113.7/32", failures: 10 })
      const connected = Effect.map(Tcp.connect(server.port), (client) => ({ client }))
      for (const { client } of yield* Workers.spread(pids, connected)) {
        yield* client.send(proxyV1("PROXY TCP4 203.0.113.7 127.0.0.1 50000 1080"))
        assert.strictEqual(yield* client.ending, "reset")
      }
      assert.deepStrictEqual(yield* logIn("203.0.113.8", "secret"), [1, 0])

      // Also one that begins now.
      process.kill(pids[0]!, "SIGKILL")
      yield* server.logged({ message: "a worker died" })
      yield* server.pids
      for (let n = 0; n < 10; n++) {
        const client = yield* announced("203.0.113.7")
        assert.strictEqual(yield* client.ending, "reset")
      }
      for (let n = 0; n < 4; n++) assert.deepStrictEqual(yield* logIn("203.0.113.10", "secret"), [1, 0])
      assert.deepStrictEqual(yield* logIn("203.0.113.10", "secret", "bob"), [1, 1])
      yield* server.kill("SIGUSR2")
      yield* server.logged({ message: "ban", network: "203.0.113.7/32", failures: 10 })
      yield* server.logged({ message: "failed logins", network: "203.0.113.9/32", failures: 1 })

      while (!readFileSync(file, "utf8").includes("203.0.113.7")) yield* Effect.sleep("20 millis")
      writeFileSync(file, "")
      yield* server.logged({ message: "ban lifted", network: "203.0.113.7/32" })
      yield* Effect.sleep("50 millis")
      for (let n = 0; n < 10; n++) {
        assert.deepStrictEqual(yield* logIn("203.0.113.7", "secret"), [1, 0])
      }
      yield* server.stop
      const lines = server.lines().filter(({ message }) => message === "banned")
      assert.lengthOf(lines, 2)
    })
  )

  it.live("of remembered logins reach a worker that replaces another, which computes no hash again", () =>
    Effect.gen(function* () {
      const file = join(yield* Temporary.directory, "users.yaml")
      const hash = yield* Hashing.hash(new TextEncoder().encode("secret"), 15)
      writeFileSync(file, `- { name: alice, password-hash: "${PasswordHash.format(hash)}" }\n`)
      const server = yield* Workers.start(["--users-file", file])
      const pids = yield* server.pids
      const logIn = Effect.gen(function* () {
        const client = yield* Tcp.connect(server.port)
        assert.deepStrictEqual(yield* Tcp.authenticate(client, "alice", "secret"), [1, 0])
        return { client }
      })
      yield* logIn
      const checked = pids.filter((pid) => hashingThreads(pid) > 0)
      assert.lengthOf(checked, 1)
      // What all have answered to twice came after what the first of them told the others.
      for (const times of [1, 2]) {
        yield* server.kill("SIGUSR2")
        yield* server.logged({ message: "sessions" }, times)
      }
      yield* Workers.spread(pids, logIn)
      assert.deepStrictEqual(
        pids.filter((pid) => hashingThreads(pid) > 0),
        checked
      )
      // Only the primary and the other worker know now.
      process.kill(checked[0]!, "SIGKILL")
      yield* server.logged({ message: "a worker died" })
      const next = yield* server.pids
      yield* Workers.spread(next, logIn)
      assert.deepStrictEqual(next.map(hashingThreads), [0, 0])
    })
  )

  it.live("of bytes count for one quota, which survives a restart", () =>
    Effect.gen(function* () {
      const stateDir = yield* Temporary.directory
      const flags = [...alice, "--monthly-quota", "40kB", "--state-dir", stateDir]
      const server = yield* Workers.start(flags)
      const pids = yield* server.pids
      const target = yield* Tcp.target
      const begun = yield* Workers.spread(
        pids,
        Effect.gen(function* () {
          const { client, code } = yield* ask(server.port, target.port)
          assert.strictEqual(code, 0)
          return { client, origin: yield* target.accept }
        })
      )
      // Half of it by each.
      for (const pid of pids) {
        const { client, origin } = begun.find((session) => session.pid === pid)!
        yield* client.send(new Uint8Array(20_000))
        yield* origin.receive(20_000)
      }
      for (const { client } of begun) assert.strictEqual(yield* client.ending, "reset")
      assert.strictEqual((yield* ask(server.port, target.port)).code, 2)
      assert.strictEqual((yield* server.stop).code, 0)
      const store = yield* Stores.openExisting({ _tag: "sqlite", path: join(stateDir, "usage.db") })
      const [record, ...others] = yield* store.read({ from: "2000-01-01", to: "3000-01-01" })
      assert.deepStrictEqual(others, [])
      assert.deepInclude(record, { user: "alice", sent: 40_000, received: 0, sessions: begun.length })
      const again = yield* Workers.start(flags)
      assert.strictEqual((yield* ask(again.port, target.port)).code, 2)
    })
  )

  it.live("of bandwidth hold for all workers together", () =>
    Effect.gen(function* () {
      const server = yield* Workers.start(["--bandwidth-total", "off/1MiB"])
      const pids = yield* server.pids
      const sessions = yield* Workers.sessions(server.port, pids)
      const received = { bytes: 0 }
      for (const { client, origin } of sessions) {
        client.duplex.on("data", (chunk: Buffer) => {
          received.bytes += chunk.length
        })
        yield* Effect.forkScoped(origin.send(new Uint8Array(16 * 1024 * 1024)))
      }
      // What buckets hold at first, and what the machine was late with when it filled the sockets of this test.
      yield* Effect.repeat(Effect.sleep("50 millis"), { until: () => received.bytes >= 2 * 2 ** 20 })
      const [before, begin] = [received.bytes, performance.now()]
      yield* Effect.sleep("4 seconds")
      const rate = (received.bytes - before) / ((performance.now() - begin) / 1000)
      // Twice the rate if each worker had all of it. A busy machine is up to a second late, and makes up for it later.
      assert.isAtMost(rate, 1.5 * 2 ** 20)
      assert.isAtLeast(rate, 0.4 * 2 ** 20)
    })
  )
})
