/**
 * HTTP's connections are read into one buffer that they share: what one has yet to
 * take is not overwritten by what comes for another.
 */
import { setTimeout } from "node:timers/promises"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Metered } from "../../src/network/Metered.ts"
import * as NodeTransport from "../../src/network/NodeTransport.ts"
import { ReadBuffers } from "../../src/network/ReadBuffers.ts"
import * as Sockets from "../support/sockets.ts"
import { pattern } from "../support/streams.ts"

const size = 1_000_000

const buffers = new ReadBuffers()

/** A connection that hands on so many bytes at once, and what its reader got, which keeps the chunks or looks at them only. */
const metered = Effect.fnUntraced(function* (seed: number, most: number, isKept: boolean) {
  const [sender, carrier] = yield* Sockets.ends({ pauseOnConnect: true })
  let counted = 0
  const wire = new Metered(NodeTransport.make(carrier, { buffers }), {
    portion: (bytes) => Math.min(bytes.length, most),
    onRead: (bytes) => {
      counted += bytes
    },
    onWritten: () => {}
  })
  const sent = Buffer.from(pattern(size, seed))
  const received: Array<Buffer> = []
  // A reader that is slow leaves what came in the queue.
  if (isKept) {
    wire.on("readable", () => {
      for (let chunk = wire.read(); chunk !== null; chunk = wire.read()) received.push(chunk)
    })
  } else {
    wire.on("data", (chunk: Buffer) => {
      received.push(Buffer.from(chunk))
      if (received.length % 7 === 0) {
        wire.pause()
        setImmediate(() => wire.resume())
      }
    })
  }
  sender.write(sent)
  return { sent, received, counted: () => counted }
})

it.live("hands on each connection's own bytes, all of them and counted", () =>
  Effect.gen(function* () {
    const all = yield* Effect.forEach(
      [
        [1, size, false],
        [2, 10_000, false],
        [3, 65_000, false],
        [4, size, true],
        [5, 9_999, true]
      ] as const,
      ([seed, most, isKept]) => metered(seed, most, isKept)
    )
    const total = ({ received }: (typeof all)[number]) =>
      received.reduce((sum, { length }) => sum + length, 0)
    while (all.some((one) => total(one) < size)) yield* Effect.promise(() => setTimeout(10))
    for (const { sent, received, counted } of all) {
      assert.isTrue(Buffer.concat(received).equals(sent))
      assert.strictEqual(counted(), size)
    }
  }).pipe(Effect.scoped)
)
