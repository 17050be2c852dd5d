/**
 * Limits of the program as a whole: what is used up stays so over a restart, and
 * what ends a session ends it on the wire.
 *
 * @module-tag transport
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { greeting, reply, request } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import * as Temporary from "../support/temporary.ts"

/** A session of alice's to a target of the test's, or what the server answers instead. */
const session = Effect.fnUntraced(function* (port: number, target: Tcp.Target) {
  const client = yield* Tcp.connect(port)
  yield* Tcp.authenticate(client, "alice", "secret")
  yield* client.send(request("127.0.0.1", target.port))
  return { client, code: (yield* client.receive(10))[1] }
})

describe.concurrent("Limits", () => {
  it.live("an exhausted quota ends the session, and stays exhausted after a restart", () =>
    Effect.gen(function* () {
      const stateDir = yield* Temporary.directory
      // By the month, which seldom ends in the middle of a test.
      const flags = ["--user", "alice:secret", "--monthly-quota", "10kB", "--state-dir", stateDir]
      const target = yield* Tcp.target

      const first = yield* Program.start(flags)
      const { client, code } = yield* session(first.port, target)
      assert.strictEqual(code, 0x00)
      const origin = yield* target.accept
      yield* client.send(new Uint8Array(6000))
      yield* origin.receive(6000)
      yield* client.end
      yield* origin.end
      yield* first.logged({ message: "session", outcome: "finished", sent: 6000 })
      assert.strictEqual((yield* first.stop).code, 0)

      const second = yield* Program.start(flags)
      const again = yield* session(second.port, target)
      assert.strictEqual(again.code, 0x00)
      const answering = yield* target.accept
      yield* answering.send(new Uint8Array(4000))
      yield* again.client.receive(4000)
      assert.deepStrictEqual([yield* again.client.ending, yield* answering.ending], ["reset", "reset"])
      yield* second.logged({ message: "session", outcome: "quota", received: 4000 })
      assert.strictEqual((yield* second.stop).code, 0)

      const third = yield* Program.start(flags)
      assert.strictEqual((yield* session(third.port, target)).code, 0x02)
      const line = yield* third.logged({ message: "session", outcome: "QuotaExceeded" })
      assert.deepInclude(line, { user: "alice", whose: "user", period: "month", limit: 10_000, reply: 2 })
      yield* third.stop
    })
  )

  it.live("a truncated state file is refused at the start, by its name", () =>
    Effect.gen(function* () {
      const stateDir = yield* Temporary.directory
      const file = join(stateDir, "quotas.json")
      writeFileSync(file, '{"version":1,"date":"2026-')
      const { code, stdout, stderr } = yield* Program.run([
        "--listen",
        "127.0.0.1:0",
        "--state-dir",
        stateDir
      ])
      assert.deepStrictEqual([code, stdout], [1, ""])
      assert.strictEqual(stderr, `cannot keep the state in ${file}: it is not whole, or of another version\n`)
    })
  )

  it.live("a session ends at its lifetime, with a reset of both sides", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(["--max-lifetime", "1s"])
      const { client, origin } = yield* Tcp.session(server.port)
      assert.deepStrictEqual([yield* client.ending, yield* origin.ending], ["reset", "reset"])
      const { duration } = yield* server.logged({ message: "session", outcome: "lifetime" })
      // Timers of Node may be a millisecond early.
      assert.isAtLeast(Number(duration), 990)
      yield* server.stop
    })
  )

  it.live("an address has as many sessions as allowed, and one more when one ends", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(["--max-sessions-per-client", "2"])
      const first = yield* Tcp.session(server.port)
      yield* Tcp.session(server.port)
      const third = yield* Tcp.connect(server.port)
      yield* third.send([...greeting(0x00), ...request("127.0.0.1", 9)])
      assert.deepStrictEqual([...(yield* third.rest)], [5, 0, ...reply(0x02)])
      yield* first.client.end
      yield* first.origin.end
      yield* server.logged({ message: "session", outcome: "finished" })
      yield* Tcp.session(server.port)
    })
  )
})
