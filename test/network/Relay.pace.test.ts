/**
 * A relay whose bytes may not go as fast as they come: none is lost or moved,
 * ends and resets go through, and waiting is not idling.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { Bandwidth } from "../../src/limits/Bandwidth.ts"
import { Quotas } from "../../src/limits/Quotas.ts"
import * as Usage from "../../src/limits/Usage.ts"
import { Relay } from "../../src/network/Relay.ts"
import * as Config from "../../src/server/Config.ts"
import type { Peer } from "../../src/testing/index.ts"
import { holds } from "../support/property.ts"
import { type Options, relaying } from "../support/relays.ts"
import { pattern, settled } from "../support/streams.ts"

const KiB = 1024

const limited = (upload: number, download: number, values: Partial<Config.Values> = {}) =>
  Layer.mergeAll(Relay.layer, Layer.provide(Bandwidth.layer, Quotas.layerOf(Usage.make()))).pipe(
    Layer.provideMerge(Config.layer({ bandwidthSession: { upload, download }, ...values }))
  )

const pacing = Effect.fnUntraced(function* (options: Options = {}) {
  const { pace } = yield* Bandwidth
  return yield* relaying({
    ...options,
    pace: yield* pace({ owner: () => "anyone", own: undefined, rule: undefined })
  })
})

/** Sends in pieces as a network has them. */
const send = (peer: Peer, bytes: Uint8Array, size = 16 * KiB) =>
  Effect.gen(function* () {
    for (let at = 0; at < bytes.length; at += size) yield* peer.send(bytes.subarray(at, at + size))
  })

/** Lets time pass in steps, with all that happens in each. */
const pass = Effect.fnUntraced(function* (seconds: number) {
  for (let step = 0; step < seconds * 20; step++) {
    yield* TestClock.adjust("50 millis")
    yield* settled
  }
})

describe("Relay, paced", () => {
  it.effect("moves bytes at the rate of each direction", () =>
    Effect.gen(function* () {
      const { client, target, traffic, fiber } = yield* pacing()
      yield* send(client, pattern(400 * KiB), 4 * KiB)
      yield* send(target, pattern(400 * KiB), 4 * KiB)
      yield* pass(4)
      assert.closeTo(traffic.sent / KiB, 4.25 * 16, 8)
      assert.closeTo(traffic.received / KiB, 4.25 * 64, 20)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(limited(16 * KiB, 64 * KiB)))
  )

  it.effect("loses nothing and keeps the order, whatever the pieces", () =>
    Effect.promise(() =>
      holds(
        fc.asyncProperty(
          fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 20 }),
          fc.integer({ min: 16 * KiB, max: 256 * KiB }),
          (sizes, rate) =>
            Effect.gen(function* () {
              const { client, target, fiber } = yield* pacing()
              const total = sizes.reduce((sum, size) => sum + size)
              const bytes = pattern(total)
              let at = 0
              for (const size of sizes) {
                yield* client.send(bytes.subarray(at, at + size))
                at += size
              }
              yield* send(target, bytes, Math.max(...sizes))
              yield* client.end
              yield* target.end
              yield* pass(total / rate + 1)
              assert.isTrue(Buffer.from(yield* target.rest).equals(bytes))
              assert.isTrue(Buffer.from(yield* client.rest).equals(bytes))
              assert.strictEqual(yield* Fiber.join(fiber), "finished")
            }).pipe(
              Effect.scoped,
              Effect.provide(Layer.provideMerge(limited(rate, rate), TestClock.layer())),
              Effect.runPromise
            )
        ),
        { numRuns: 20 }
      )
    )
  )

  it.effect("charges early bytes, and delays the rest", () =>
    Effect.gen(function* () {
      const { client, target, traffic, fiber } = yield* pacing({ early: "x".repeat(10 * KiB) })
      yield* client.send("late")
      yield* settled
      assert.strictEqual(traffic.sent, 10 * KiB)
      yield* pass(9)
      assert.strictEqual(traffic.sent, 10 * KiB)
      yield* pass(2)
      assert.strictEqual(traffic.sent, 10 * KiB + 4)
      yield* target.receive(10 * KiB + 4)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(limited(KiB, KiB)))
  )

  it.effect("continues one direction while the other waits, and ends each by itself", () =>
    Effect.gen(function* () {
      const { client, target, fiber } = yield* pacing()
      const sent = pattern(40 * KiB)
      yield* send(client, sent)
      yield* client.end
      yield* pass(1)
      yield* target.send("answer")
      assert.strictEqual(new TextDecoder().decode(yield* client.receive(6)), "answer")
      yield* target.end
      assert.strictEqual(yield* client.ending, "end")
      assert.isUndefined(fiber.pollUnsafe())
      yield* pass(12)
      assert.isTrue(Buffer.from(yield* target.rest).equals(sent))
      assert.strictEqual(yield* target.ending, "end")
      assert.strictEqual(yield* Fiber.join(fiber), "finished")
    }).pipe(Effect.provide(limited(4 * KiB, Infinity)))
  )

  it.effect("passes a reset on while it waits", () =>
    Effect.gen(function* () {
      const { client, target, fiber } = yield* pacing()
      yield* send(client, pattern(400 * KiB))
      yield* pass(1)
      yield* target.reset
      assert.strictEqual(yield* client.ending, "reset")
      assert.strictEqual(yield* Fiber.join(fiber), "target reset")
    }).pipe(Effect.provide(limited(KiB, KiB)))
  )

  it.effect("continues after a reader slower than the limit", () =>
    Effect.gen(function* () {
      const { client, targetEnd, target, traffic, fiber } = yield* pacing({ silent: "target" })
      yield* send(client, pattern(200 * KiB))
      yield* pass(5)
      assert.isAbove(targetEnd.writableLength, 0)
      const stuck = traffic.sent
      assert.isBelow(stuck, 100 * KiB)
      target.duplex.resume()
      yield* pass(5)
      assert.strictEqual(traffic.sent, 200 * KiB)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(limited(64 * KiB, 64 * KiB)))
  )

  it.effect("continues after a slower reader with few waiting bytes", () =>
    Effect.gen(function* () {
      const { client, target, traffic, fiber } = yield* pacing({ silent: "target" })
      yield* send(client, pattern(200 * KiB), KiB)
      yield* pass(5)
      target.duplex.resume()
      yield* pass(5)
      assert.strictEqual(traffic.sent, 200 * KiB)
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(limited(64 * KiB, 64 * KiB)))
  )

  it.effect("distinguishes waiting for bandwidth from idling", () =>
    Effect.gen(function* () {
      const { client, traffic, fiber } = yield* pacing()
      // What passes at once takes longer to pay off than a session may idle.
      yield* client.send(pattern(16 * KiB))
      yield* client.send("last")
      yield* pass(14)
      assert.strictEqual(traffic.sent, 16 * KiB)
      assert.isUndefined(fiber.pollUnsafe())
      yield* pass(4)
      assert.strictEqual(traffic.sent, 16 * KiB + 4)
      yield* pass(1.5)
      assert.strictEqual(yield* Fiber.join(fiber), "idle")
    }).pipe(Effect.provide(limited(KiB, KiB, { idleTimeout: Duration.seconds(2) })))
  )
})
