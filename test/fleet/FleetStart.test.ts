/**
 * What a machine waits for before it serves.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { FleetStoreFailed } from "../../src/Errors.ts"
import * as FleetStart from "../../src/fleet/FleetStart.ts"
import * as Logs from "../support/logs.ts"

const failing = Effect.fail(new FleetStoreFailed({ store: "redis://store", reason: "no reply" }))

describe("the start of a machine", () => {
  it.effect("waits for a store that is slow to answer", () =>
    Effect.gen(function* () {
      let attempts = 0
      const look = Effect.suspend(() => (++attempts < 3 ? failing : Effect.delay(Effect.void, "500 millis")))
      const fiber = yield* Effect.forkChild(FleetStart.within("redis://store", look), {
        startImmediately: true
      })
      yield* TestClock.adjust("600 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("100 millis")
      assert.isDefined(fiber.pollUnsafe())
      assert.strictEqual(attempts, 3)
    })
  )

  it.effect("is not put off by a store that does not answer, and says so", () =>
    Effect.gen(function* () {
      for (const look of [failing, Effect.never]) {
        const { lines, layer } = Logs.captured()
        const fiber = yield* Effect.forkChild(
          FleetStart.within("redis://store", look).pipe(Effect.provide(layer)),
          { startImmediately: true }
        )
        yield* TestClock.adjust("2900 millis")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("100 millis")
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(
          lines.map(({ message }) => message),
          ["serves without the fleet's bans and users: the store does not answer"]
        )
      }
    })
  )
})
