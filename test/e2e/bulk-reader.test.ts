/**
 * A socket read in bulk while it has bytes to give: none is lost, none comes twice.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as BulkReader from "../../src/network/BulkReader.ts"
import * as Sockets from "../support/sockets.ts"
import { pattern } from "../support/streams.ts"
import { until } from "../support/until.ts"

const length = (chunks: ReadonlyArray<Buffer>) => chunks.reduce((sum, chunk) => sum + chunk.length, 0)

for (const isPaused of [true, false]) {
  it.live(`moves ${isPaused ? "a paused" : "a flowing"} socket's bytes as they were sent`, () =>
    Effect.gen(function* () {
      const [sender, receiver] = yield* Sockets.ends()
      const sent = Buffer.from(pattern(3_000_000))
      const received: Array<Buffer> = []
      receiver.on("data", (chunk: Buffer) => {
        received.push(Buffer.from(chunk))
        if (isPaused && received.length === 1) receiver.pause()
      })
      sender.write(sent)
      yield* until(() => received.length > 0)
      const reader = BulkReader.promote(receiver, (chunk) => {
        received.push(Buffer.from(chunk))
        return true
      })
      receiver.resume()
      assert.isDefined(reader)
      yield* until(() => length(received) >= sent.length)
      assert.isTrue(Buffer.concat(received).equals(sent))
    }).pipe(Effect.scoped)
  )
}

/** So many that read in bulk, and what each was sent since it began. */
const readers = (count: number) =>
  Effect.forEach(
    Array.from({ length: count }),
    Effect.fnUntraced(function* () {
      const [sender, receiver] = yield* Sockets.ends()
      const received: Array<Buffer> = []
      const reader = BulkReader.promote(receiver, (chunk) => {
        received.push(Buffer.from(chunk))
        return true
      })
      receiver.resume()
      return { sender, reader: reader!, received }
    })
  )

/** The largest chunk that each got of what was sent to all of them at once. */
const largest = Effect.fnUntraced(function* (all: Effect.Success<ReturnType<typeof readers>>) {
  const sent = Buffer.from(pattern(2_000_000))
  for (const { sender, received } of all) {
    received.length = 0
    sender.write(sent)
  }
  yield* until(() => all.every(({ received }) => length(received) >= sent.length))
  for (const { received } of all) assert.isTrue(Buffer.concat(received).equals(sent))
  return all.map(({ received }) => Math.max(...received.map(({ length }) => length)))
})

it.live("gives large buffers to so many only, and those of the ones that rest to others", () =>
  Effect.gen(function* () {
    const before = process.memoryUsage().arrayBuffers
    const first = yield* readers(64)
    const others = yield* readers(64)
    // 32 MiB if the others had large buffers, too.
    assert.isBelow(process.memoryUsage().arrayBuffers - before, 24 * 1024 * 1024)
    yield* largest(first.slice(0, 4))
    assert.isAtMost(Math.max(...(yield* largest(others.slice(0, 4)))), 16 * 1024)

    for (const { reader } of first) reader.rest()
    assert.isAbove(Math.max(...(yield* largest(others.slice(0, 4)))), 16 * 1024)
    // Those that rested read on as before.
    yield* largest(first.slice(0, 4))
  }).pipe(Effect.scoped)
)
