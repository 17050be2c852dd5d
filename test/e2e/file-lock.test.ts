/**
 * A lock whose holder is asked over its socket, for a second at most.
 */
import { createServer, type Server } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileLock from "../../src/base/FileLock.ts"
import * as Temporary from "../support/temporary.ts"

describe("FileLock", () => {
  it.live("is held by a socket that never stops sending, which is asked for a second", () =>
    Effect.gen(function* () {
      const path = join(yield* Temporary.directory, "lock")
      yield* Effect.acquireRelease(
        Effect.callback<Server>((resume) => {
          const server = createServer((socket) => {
            const timer = setInterval(() => socket.write("1"), 50)
            socket.on("error", () => {}).on("close", () => clearInterval(timer))
          })
          server.listen(path, () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const problem = yield* Effect.timeout(Effect.flip(FileLock.hold(path)), "5 seconds")
      assert.deepStrictEqual(problem, { _tag: "Held", by: "another server" })
    })
  )
})
