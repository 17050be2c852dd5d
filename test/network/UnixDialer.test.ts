import { createServer } from "node:net"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as UnixDialer from "../../src/network/UnixDialer.ts"
import { directory } from "../support/temporary.ts"

describe("the dialer of Unix-domain sockets", () => {
  it.live("connects to a path, and closes with its scope", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "socket")
      const server = createServer((socket) => void socket.end("hello"))
      yield* Effect.promise(() => new Promise<void>((resolve) => server.listen(path, resolve)))
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      const transport = yield* Effect.scoped(
        Effect.gen(function* () {
          const transport = yield* UnixDialer.connect(path)
          const received = yield* Effect.callback<Buffer>((resume) => {
            const ignored = () => {}
            const taken = (bytes: Buffer) => resume(Effect.succeed(bytes))
            transport.listen({ received: taken, ended: ignored, closed: ignored })
          })
          assert.strictEqual(received.toString(), "hello")
          return transport
        })
      )
      assert.isTrue(transport.isClosed)
    }).pipe(Effect.scoped)
  )

  it.live("fails with the system's code", () =>
    Effect.gen(function* () {
      const path = join(yield* directory, "missing")
      assert.strictEqual(yield* Effect.flip(UnixDialer.connect(path)), "ENOENT")
    }).pipe(Effect.scoped)
  )
})
