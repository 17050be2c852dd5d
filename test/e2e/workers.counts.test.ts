/**
 * Limits of several processes that serve as one: they hold for all of them
 * together, to the last session.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Peer } from "../../src/testing/index.ts"
import { request } from "../support/messages.ts"
import * as Tcp from "../support/tcp.ts"
import * as Workers from "../support/workers.ts"

/** Asks for a session of alice's: the client's end, and the reply. */
const ask = Effect.fnUntraced(function* (
  port: number,
  target: number
): Effect.fn.Return<{ readonly client: Peer; readonly code: number }, string, Scope.Scope> {
  const client = yield* Tcp.connect(port)
  yield* Tcp.authenticate(client, "alice", "secret")
  yield* client.send(request("127.0.0.1", target))
  return { client, code: (yield* client.receive(10))[1]! }
})

const alice = ["--user", "alice:secret"]

describe("limits of several workers", () => {
  it.live(
    "of sessions: exactly so many, whoever serves them, and those of a dead worker are free again",
    () =>
      Effect.gen(function* () {
        const limit = 21
        const server = yield* Workers.start([...alice, "--max-sessions-per-user", String(limit)])
        const pids = yield* server.pids
        const target = yield* Tcp.target
        const many = (count: number) =>
          Effect.forEach(Array.from({ length: count }), () => ask(server.port, target.port), {
            concurrency: "unbounded"
          })
        const all = yield* many(60)
        const open = all.filter(({ code }) => code === 0)
        assert.lengthOf(open, limit)
        assert.lengthOf(
          all.filter(({ code }) => code === 2),
          60 - limit
        )
        const servers = open.map(({ client }) => Workers.serverOf(client, pids))
        assert.sameMembers([...new Set(servers)], [...pids])

        const [victim] = pids
        const lost = servers.filter((pid) => pid === victim).length
        process.kill(victim!, "SIGKILL")
        yield* server.logged({ message: "a worker died" })
        yield* server.pids
        const again = yield* many(40)
        assert.lengthOf(
          again.filter(({ code }) => code === 0),
          lost
        )

        // One ends, and another one is let in, by whichever worker.
        for (const { client } of open.filter((_, index) => servers[index] !== victim)) {
          yield* client.end
          const origin = yield* target.accept
          yield* origin.end
        }
      })
  )

  it.live("of new sessions a second, and of all sessions", () =>
    Effect.gen(function* () {
      const target = yield* Tcp.target
      const fast = yield* Workers.start([...alice, "--session-rate", "5"])
      const codes = yield* Effect.forEach(
        Array.from({ length: 20 }),
        () => Effect.map(ask(fast.port, target.port), ({ code }) => code),
        { concurrency: "unbounded" }
      )
      const begun = codes.filter((code) => code === 0).length
      assert.isAtLeast(begun, 5)
      // A machine that is busy takes longer than a second for them.
      assert.isAtMost(begun, 12)
      yield* fast.logged({ message: "session", outcome: "TooManyNewSessions", retryAfter: 1 })

      const few = yield* Workers.start([...alice, "--max-sessions", "7"])
      const results = yield* Effect.forEach(Array.from({ length: 20 }), () => ask(few.port, target.port), {
        concurrency: "unbounded"
      })
      assert.lengthOf(
        results.filter(({ code }) => code === 0),
        7
      )
      yield* few.logged({ message: "session", outcome: "TooManySessions", limit: 7 })
    })
  )
})
