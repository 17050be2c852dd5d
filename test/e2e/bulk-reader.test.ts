/**
 * A socket replaced while it has bytes to give: none is lost, none comes twice.
 */
import { connect, createServer, type Socket } from "node:net"
import { setTimeout } from "node:timers/promises"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as BulkReader from "../../src/network/BulkReader.ts"
import { pattern } from "../support/streams.ts"

/** Two ends of a connection on loopback. */
const ends = Effect.acquireRelease(
  Effect.callback<readonly [Socket, Socket]>((resume) => {
    const server = createServer((accepted) => {
      server.close()
      resume(Effect.succeed([near, accepted]))
    })
    let near: Socket
    server.listen(0, "127.0.0.1", () => {
      near = connect((server.address() as { readonly port: number }).port, "127.0.0.1")
    })
  }),
  (sockets) =>
    Effect.sync(() => {
      for (const socket of sockets) socket.destroy()
    })
)

for (const isPaused of [true, false]) {
  it.live(`moves ${isPaused ? "a paused" : "a flowing"} socket's bytes as they were sent`, () =>
    Effect.gen(function* () {
      const [sender, receiver] = yield* ends
      const sent = Buffer.from(pattern(3_000_000))
      const received: Array<Buffer> = []
      receiver.on("data", (chunk: Buffer) => {
        received.push(Buffer.from(chunk))
        if (isPaused) receiver.pause()
      })
      sender.write(sent)
      yield* Effect.promise(() => setTimeout(100))
      const reader = BulkReader.promote(receiver, (chunk) => {
        received.push(Buffer.from(chunk))
        return true
      })
      reader?.resume()
      yield* Effect.promise(() => setTimeout(300))
      assert.isDefined(reader)
      assert.isTrue(Buffer.concat(received).equals(sent))
    }).pipe(Effect.scoped)
  )
}
