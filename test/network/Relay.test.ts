/**
 * Bytes between a client and its target: all of them, both ways, each direction
 * to its own end, and never more of them held than fit.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { Relay } from "../../src/network/Relay.ts"
import * as Config from "../../src/server/Config.ts"
import { peer } from "../../src/testing/index.ts"
import { relaying } from "../support/relays.ts"
import { pattern, settled } from "../support/streams.ts"

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

const layer = Layer.provide(Relay.layer, Config.layer())

describe("Relay", () => {
  it.effect("moves bytes both ways, counts them, and finishes when both sides have finished", () =>
    Effect.gen(function* () {
      const { client, target, traffic, fiber } = yield* relaying()
      const [question, answer] = [pattern(300_000), pattern(500_000, 7)]
      yield* client.send(question)
      yield* client.end
      assert.isTrue(Buffer.from(yield* target.rest).equals(question))
      yield* target.send(answer)
      yield* target.end
      assert.isTrue(Buffer.from(yield* client.rest).equals(answer))
      assert.strictEqual(yield* Fiber.join(fiber), "finished")
      assert.deepStrictEqual(traffic, { sent: 300_000, received: 500_000 })
    }).pipe(Effect.provide(layer))
  )

  it.effect("counts while bytes move", () =>
    Effect.gen(function* () {
      const { client, target, traffic, fiber } = yield* relaying()
      yield* client.send("12345")
      yield* target.receive(5)
      yield* target.send("123")
      yield* client.receive(3)
      assert.deepStrictEqual(traffic, { sent: 5, received: 3 })
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(layer))
  )

  it.effect("sends early bytes first, and counts them", () =>
    Effect.gen(function* () {
      const { client, target, traffic, fiber } = yield* relaying({ early: "early " })
      yield* client.send("late")
      yield* client.end
      assert.strictEqual(text(yield* target.rest), "early late")
      assert.strictEqual(traffic.sent, 10)
      yield* target.end
      assert.strictEqual(yield* Fiber.join(fiber), "finished")
    }).pipe(Effect.provide(layer))
  )

  it.effect("passes on a FIN that came before the relay", () =>
    Effect.gen(function* () {
      const { client, target, fiber } = yield* relaying({ early: "all", hasEnded: true })
      assert.strictEqual(text(yield* target.rest), "all")
      assert.strictEqual(yield* target.ending, "end")
      yield* target.send("answer")
      yield* target.end
      assert.strictEqual(text(yield* client.rest), "answer")
      assert.strictEqual(yield* Fiber.join(fiber), "finished")
    }).pipe(Effect.provide(layer))
  )

  for (const [first, second] of [
    ["client", "target"],
    ["target", "client"]
  ] as const) {
    it.effect(`continues the ${second} after a FIN of the ${first}`, () =>
      Effect.gen(function* () {
        const ends = yield* relaying()
        yield* ends[first].end
        assert.strictEqual(yield* ends[second].ending, "end")
        for (const word of ["and ", "so ", "on"]) {
          yield* ends[second].send(word)
          yield* settled
          assert.isUndefined(ends.fiber.pollUnsafe())
        }
        yield* ends[second].end
        assert.strictEqual(text(yield* ends[first].rest), "and so on")
        assert.strictEqual(yield* ends[first].ending, "end")
        assert.strictEqual(yield* Fiber.join(ends.fiber), "finished")
      }).pipe(Effect.provide(layer))
    )

    it.effect(`resets the ${second} when the ${first} is reset`, () =>
      Effect.gen(function* () {
        const ends = yield* relaying()
        yield* ends[second].send("half of it")
        yield* ends[first].receive(10)
        yield* ends[first].reset
        assert.strictEqual(yield* ends[second].ending, "reset")
        assert.strictEqual(yield* Fiber.join(ends.fiber), `${first} reset`)
      }).pipe(Effect.provide(layer))
    )

    it.effect(`resets the ${second} when the ${first} is reset after a FIN of the ${second}`, () =>
      Effect.gen(function* () {
        const ends = yield* relaying()
        yield* ends[second].end
        yield* ends[first].ending
        yield* ends[first].send("half of")
        yield* ends[second].receive(7)
        yield* ends[first].reset
        assert.strictEqual(yield* ends[second].ending, "reset")
        assert.strictEqual(yield* Fiber.join(ends.fiber), `${first} reset`)
      }).pipe(Effect.provide(layer))
    )
  }

  for (const [first, second] of [
    ["client", "target"],
    ["target", "client"]
  ] as const) {
    it.effect(`is finished when the ${first} breaks after all bytes were sent and received`, () =>
      Effect.gen(function* () {
        const ends = yield* relaying()
        yield* ends[first].end
        yield* ends[second].ending
        yield* ends[second].send("goodbye")
        yield* ends[first].receive(7)
        yield* ends[first].reset
        yield* settled
        yield* ends[second].end
        assert.strictEqual(yield* Fiber.join(ends.fiber), "finished")
      }).pipe(Effect.provide(layer))
    )
  }

  it.effect("is not finished when a client breaks before it got all bytes", () =>
    Effect.gen(function* () {
      const { client, clientEnd, target, fiber } = yield* relaying({ silent: "client" })
      client.duplex.end()
      yield* target.ending
      while (clientEnd.writableLength === 0) {
        yield* target.send(new Uint8Array(1024))
        yield* settled
      }
      yield* target.end
      yield* settled
      client.duplex.destroy()
      assert.strictEqual(yield* Fiber.join(fiber), "client reset")
    }).pipe(Effect.provide(layer))
  )

  it.effect("takes no more of a target whose client broke after its FIN", () =>
    Effect.gen(function* () {
      const { client, target, targetEnd, traffic, fiber } = yield* relaying()
      yield* client.send("question")
      yield* client.end
      assert.strictEqual(text(yield* target.rest), "question")
      yield* client.reset
      yield* settled
      assert.isUndefined(fiber.pollUnsafe())
      yield* target.send("an answer without an end")
      yield* settled
      assert.isTrue(targetEnd.destroyed)
      assert.strictEqual(yield* Fiber.join(fiber), "client reset")
      assert.deepStrictEqual(traffic, { sent: 8, received: 0 })
    }).pipe(Effect.provide(layer))
  )

  it.effect("delivers all bytes to the client when the target breaks after its FIN", () =>
    Effect.gen(function* () {
      const { client, target, targetEnd, fiber } = yield* relaying()
      const answer = pattern(100_000)
      yield* target.send(answer)
      yield* target.end
      yield* settled
      yield* target.reset
      yield* settled
      assert.isTrue(targetEnd.destroyed)
      yield* client.send("what nobody hears")
      assert.isTrue(Buffer.from(yield* client.rest).equals(answer))
      assert.strictEqual(yield* client.ending, "end")
      assert.isUndefined(fiber.pollUnsafe())
      yield* client.send(new Uint8Array(1_000_000))
      yield* client.end
      // Which is how the log tells of it, though not the client.
      assert.strictEqual(yield* Fiber.join(fiber), "target reset")
    }).pipe(Effect.provide(layer))
  )

  it.effect("resets a client that waited for a target which then broke", () =>
    Effect.gen(function* () {
      const { client, target, fiber } = yield* relaying({ silent: "target" })
      target.duplex.end("answer")
      for (let i = 0; i < 64; i++) yield* client.send(new Uint8Array(16 * 1024))
      yield* settled
      assert.isAbove(client.duplex.writableLength, 0)
      target.duplex.destroy()
      yield* settled
      assert.strictEqual(client.duplex.writableLength, 0)
      assert.strictEqual(text(yield* client.rest), "answer")
      assert.strictEqual(yield* client.ending, "end")
      yield* client.end
      assert.strictEqual(yield* Fiber.join(fiber), "target reset")
    }).pipe(Effect.provide(layer))
  )

  for (const side of ["client", "target"] as const) {
    it.effect(`notices a ${side} that left before the relay`, () =>
      Effect.gen(function* () {
        const ends = yield* relaying({ isGone: side })
        assert.strictEqual(yield* Fiber.join(ends.fiber), `${side} reset`)
        assert.strictEqual(yield* ends[side === "client" ? "target" : "client"].ending, "reset")
      }).pipe(Effect.provide(layer))
    )

    it.effect(`holds few bytes for a ${side} that does not read, and loses none`, () =>
      Effect.gen(function* () {
        const ends = yield* relaying({ silent: side })
        const other = side === "client" ? "target" : "client"
        const [size, chunk] = [1024 * 1024, 16 * 1024]
        const sent = pattern(size)
        for (let at = 0; at < size; at += chunk) yield* ends[other].send(sent.subarray(at, at + chunk))
        yield* settled
        const sink = ends[`${side}End`]
        assert.isAtMost(sink.writableLength, sink.writableHighWaterMark + chunk)
        assert.isAtLeast(ends[other].duplex.writableLength, size - 256 * 1024)
        yield* ends[other].end
        const reader = peer(ends[side].duplex)
        assert.isTrue(Buffer.from(yield* reader.rest).equals(sent))
        yield* Fiber.interrupt(ends.fiber)
      }).pipe(Effect.provide(layer))
    )
  }

  it.effect("resets both sides when it is interrupted", () =>
    Effect.gen(function* () {
      const { client, target, fiber } = yield* relaying()
      yield* client.send("some")
      yield* target.receive(4)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(yield* client.ending, "reset")
      assert.strictEqual(yield* target.ending, "reset")
    }).pipe(Effect.provide(layer))
  )
})
