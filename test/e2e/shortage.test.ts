/**
 * What the operator is told of clients that are turned away, and when asking.
 *
 * @module-tag transport
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Program from "../support/program.ts"
import * as Sockets from "../support/sockets.ts"

describe.concurrent("a server with too few descriptors", () => {
  it.live("logs one warning, with the limit and advice", () =>
    Effect.gen(function* () {
      const program = yield* Program.start([], Program.withFiles(128))
      yield* Effect.forEach(Array.from({ length: 200 }), () => Sockets.connect(program.port))
      const line = yield* program.until(() =>
        program.lines().find(({ message }) => /^clients are turned away/.test(String(message)))
      )
      assert.deepInclude(line, { level: "warn", openFiles: 128 })
      assert.match(String(line.message), /ulimit -n/)
      assert.lengthOf(
        program.lines().filter(({ level }) => level === "warn"),
        1
      )
    })
  )

  it.live("that are too few to start reports that", () =>
    Effect.gen(function* () {
      // With fewer than 22, Node 24 itself breaks down.
      const { code, stderr } = yield* Program.run(["--listen", "127.0.0.1:0"], Program.withFiles(26))
      assert.strictEqual(code, 1)
      assert.match(stderr, /open files.*ulimit -n/)
      assert.lengthOf(stderr.trim().split("\n"), 1)
    })
  )
})

describe.concurrent("SIGUSR2", () => {
  it.live("logs the numbers and the limits, with one worker", () =>
    Effect.gen(function* () {
      const server = yield* Program.start(["--max-sessions", "50"])
      const target = yield* Sockets.echo()
      yield* Sockets.tunnel(server.port, target.port)
      yield* Sockets.connect(server.port)
      yield* server.kill("SIGUSR2")
      const line = yield* server.logged({ message: "sessions" })
      assert.include(line, { sessions: 1, associations: 0, handshakes: 1, descriptors: 3 })
      assert.include(line.limits, { sessions: 50 })
      yield* server.logged({ message: "bans" })
    })
  )
})
