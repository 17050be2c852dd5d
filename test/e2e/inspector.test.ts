/**
 * Node's inspector, by which everything can be run in the server: no signal opens
 * it, and no client reaches it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { greeting, request } from "../support/messages.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import * as Workers from "../support/workers.ts"

/** The reply to a request for this port of this machine. */
const ask = Effect.fnUntraced(function* (proxy: number, port: number) {
  const client = yield* Tcp.connect(proxy)
  yield* client.send([...greeting(0x00), ...request("127.0.0.1", port)])
  return (yield* client.receive(4))[3]
})

const opened = /Debugger listening on ws:\/\/127\.0\.0\.1:(\d+)\//

describe.concurrent("SIGUSR1", () => {
  it.live("opens no inspector, and ends no process", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(["--drain-timeout", "300ms"], {
        env: { NODE_OPTIONS: `--inspect-port=${yield* Workers.freePort}` }
      })
      yield* server.kill("SIGUSR1")
      // It goes on, and has heard the signal by then.
      const target = yield* Tcp.target
      assert.strictEqual(yield* ask(server.port, target.port), 0x00)
      const { code, stderr } = yield* server.stop
      assert.strictEqual(code, 0)
      assert.notMatch(stderr, opened)
    })
  )

  it.live("opens no inspector in workers", () =>
    Effect.gen(function* () {
      const server = yield* Workers.start(["--drain-timeout", "300ms"], {
        env: { NODE_OPTIONS: `--inspect-port=${yield* Workers.freePort}` }
      })
      for (const pid of yield* server.pids) process.kill(pid, "SIGUSR1")
      const target = yield* Tcp.target
      for (let i = 0; i < 4; i++) assert.strictEqual(yield* ask(server.port, target.port), 0x00)
      const { code, stderr } = yield* server.stop
      assert.strictEqual(code, 0)
      assert.notMatch(stderr, opened)
    })
  )
})

describe.concurrent("the inspector of --inspect", () => {
  for (const workers of [1, 2]) {
    it.live(`cannot be reached by clients, with workers: ${workers}`, () =>
      Effect.gen(function* () {
        const port = yield* Workers.freePort
        const server = yield* Program.start(
          [
            "--workers",
            String(workers),
            "--private-targets",
            "allow",
            "--allow-target",
            "*",
            "--log-decisions",
            "all"
          ],
          { env: { NODE_OPTIONS: `--inspect=127.0.0.1:${port}` } }
        )
        // It is there.
        assert.strictEqual((yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}/json`))).status, 200)
        assert.strictEqual(yield* ask(server.port, port), 0x02)
        assert.include(yield* server.logged({ message: "decision" }), { rule: "address guard" })
        // Those of workers are closed.
        for (let more = 1; more <= 2; more++) assert.strictEqual(yield* ask(server.port, port + more), 0x05)
      })
    )
  }
})
