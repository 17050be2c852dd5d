/**
 * The accepted connection while the protocol is spoken: messages out of any
 * pieces, a bounded number of early bytes, who is gone and who is not.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { complete, type Decoder, incomplete } from "../../src/wire/Decoder.ts"
import { cut } from "../support/bytes.ts"
import { holds } from "../support/property.ts"
import { accepted, pattern, settled } from "../support/streams.ts"

/** A length, and as many bytes. */
const message: Decoder<ReadonlyArray<number>> = ([length, ...rest]) =>
  length === undefined || rest.length < length ? incomplete : complete(rest.slice(0, length), 1 + length)

const wrong: Decoder<never, "wrong"> = (bytes) => (bytes.length === 0 ? incomplete : Result.fail("wrong"))

describe("Client", () => {
  it.effect("reads whole messages from any pieces, and keeps later bytes", () => {
    const sent = [3, 1, 2, 3, 0, 2, 4, 5, 9, 9, 9]
    return Effect.promise(() =>
      holds(
        fc.asyncProperty(cut(sent), (pieces) =>
          Effect.gen(function* () {
            const { peer, client } = yield* accepted
            const reading = yield* Effect.forkChild(
              Effect.all([client.read(message), client.read(message), client.read(message)])
            )
            for (const piece of pieces) {
              yield* peer.send(piece)
              yield* settled
            }
            assert.deepStrictEqual(yield* Fiber.join(reading), [[1, 2, 3], [], [4, 5]])
            assert.deepStrictEqual([...client.detach().early], [9, 9, 9])
            peer.duplex.destroy()
          }).pipe(Effect.scoped, Effect.runPromise)
        ),
        { numRuns: 30 }
      )
    )
  })

  it.effect("fails with the decoder's error, at the byte that is wrong", () =>
    Effect.gen(function* () {
      const { peer, client } = yield* accepted
      yield* peer.send([1])
      assert.strictEqual(yield* Effect.flip(client.read(wrong)), "wrong")
      yield* peer.reset
    })
  )

  it.effect("reads a message that was whole before the end", () =>
    Effect.gen(function* () {
      const { peer, client } = yield* accepted
      yield* peer.send([1, 7, 2, 8])
      yield* peer.end
      yield* settled
      assert.deepStrictEqual(yield* client.read(message), [7])
      const error = yield* Effect.flip(client.read(message))
      assert.strictEqual(error._tag, "ClientGone")
    })
  )

  for (const how of ["end", "reset"] as const) {
    it.effect(`fails if a message is cut short by ${how}`, () =>
      Effect.gen(function* () {
        const { peer, client } = yield* accepted
        const reading = yield* Effect.forkChild(Effect.flip(client.read(message)))
        yield* peer.send([2, 1])
        yield* settled
        assert.isUndefined(reading.pollUnsafe())
        yield* peer[how]
        assert.strictEqual((yield* Fiber.join(reading))._tag, "ClientGone")
      })
    )

    it.effect(`is gone after ${how} without unread bytes`, () =>
      Effect.gen(function* () {
        const { peer, client } = yield* accepted
        const gone = yield* Effect.forkChild(Effect.flip(client.whileConnected(Effect.never)))
        yield* settled
        assert.isUndefined(gone.pollUnsafe())
        yield* peer[how]
        assert.strictEqual((yield* Fiber.join(gone))._tag, "ClientGone")
      })
    )
  }

  it.effect("is not gone after payload and FIN, until it resets", () =>
    Effect.gen(function* () {
      const { peer, client } = yield* accepted
      const gone = yield* Effect.forkChild(Effect.flip(client.whileConnected(Effect.never)))
      yield* peer.send("payload")
      yield* peer.end
      yield* settled
      assert.isUndefined(gone.pollUnsafe())
      yield* peer.reset
      assert.strictEqual((yield* Fiber.join(gone))._tag, "ClientGone")
    })
  )

  it.effect("is gone at once if it left earlier", () =>
    Effect.gen(function* () {
      const { peer, client } = yield* accepted
      yield* peer.end
      yield* settled
      assert.strictEqual((yield* Effect.flip(client.whileConnected(Effect.never)))._tag, "ClientGone")
    })
  )

  it.effect("has one deadline for all reads, which no byte extends", () =>
    Effect.gen(function* () {
      const { peer, client } = yield* accepted
      const twice = Effect.andThen(client.read(message), client.read(message))
      const hearing = yield* Effect.forkChild(Effect.flip(client.withDeadline(twice, Duration.seconds(10))))
      for (const byte of [1, 7, 2]) {
        yield* TestClock.adjust("3 seconds")
        yield* peer.send([byte])
        yield* settled
      }
      yield* TestClock.adjust("999 millis")
      assert.isUndefined(hearing.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(hearing))._tag, "HandshakeTimeout")
      peer.duplex.destroy()
    })
  )

  it.effect("has the same deadline for other effects, and interrupts them", () =>
    Effect.gen(function* () {
      const { peer, client } = yield* accepted
      let isInterrupted = false
      const stuck = Effect.onInterrupt(Effect.never, () =>
        Effect.sync(() => {
          isInterrupted = true
        })
      )
      const hearing = yield* Effect.forkChild(
        Effect.flip(client.withDeadline(client.beforeDeadline(stuck), Duration.seconds(10)))
      )
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(hearing))._tag, "HandshakeTimeout")
      assert.isTrue(isInterrupted)
      peer.duplex.destroy()
    })
  )

  it.effect("has no deadline after the request", () =>
    Effect.gen(function* () {
      const { peer, client } = yield* accepted
      yield* peer.send([1, 7])
      assert.deepStrictEqual(
        [...(yield* client.withDeadline(client.read(message), Duration.seconds(10)))],
        [7]
      )
      const reading = yield* Effect.forkChild(client.read(message))
      yield* TestClock.adjust("1 hours")
      assert.isUndefined(reading.pollUnsafe())
      yield* peer.send([1, 8])
      assert.deepStrictEqual([...(yield* Fiber.join(reading))], [8])
      peer.duplex.destroy()
    })
  )

  it.effect("stops listening to a client that sends megabytes ahead, and loses none of them", () =>
    Effect.gen(function* () {
      const { peer, far, client } = yield* accepted
      const [size, chunk] = [4 * 1024 * 1024, 16 * 1024]
      const sent = pattern(size)
      for (let at = 0; at < size; at += chunk) yield* peer.send(sent.subarray(at, at + chunk))
      yield* settled
      assert.isAbove(peer.duplex.writableLength, size - 256 * 1024)
      const { transport, early } = client.detach()
      assert.strictEqual(transport.handOver(new Uint8Array(0)), far)
      assert.isAtLeast(early.length, 64 * 1024)
      assert.isBelow(early.length, 64 * 1024 + chunk)
      yield* peer.end
      const rest = yield* Effect.promise(() => far.toArray())
      assert.isTrue(Buffer.concat([early, ...rest]).equals(sent))
    })
  )

  it.effect("hands over a paused connection", () =>
    Effect.gen(function* () {
      const { peer, far, client } = yield* accepted
      yield* peer.send("early")
      yield* settled
      const { early } = client.detach()
      yield* peer.send("later")
      yield* settled
      assert.strictEqual(String(early), "early")
      assert.isTrue(far.isPaused())
      assert.strictEqual(String(far.read()), "later")
      yield* peer.reset
    })
  )

  it.effect("sends each reply in one write, and nothing for none", () =>
    Effect.gen(function* () {
      const { peer, client } = yield* accepted
      const chunks: Array<string> = []
      peer.duplex.on("data", (chunk: Buffer) => chunks.push(chunk.toString("hex")))
      yield* client.reply(Uint8Array.of(5, 0))
      yield* client.reply(new Uint8Array(0))
      yield* client.reply(Uint8Array.of(1, 0))
      yield* settled
      assert.deepStrictEqual(chunks, ["0500", "0100"])
      yield* peer.reset
    })
  )
})
