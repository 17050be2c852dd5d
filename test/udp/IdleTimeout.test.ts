import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { untilIdle } from "../../src/udp/IdleTimeout.ts"

describe("untilIdle", () => {
  it.effect("ends when nothing has moved for the timeout, however late it is checked", () =>
    Effect.gen(function* () {
      let movedAt = 0
      const fiber = yield* Effect.forkChild(untilIdle(() => movedAt, Duration.seconds(10)))
      yield* TestClock.adjust("9 seconds")
      movedAt = 9000
      yield* TestClock.adjust("9999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(fiber)
    })
  )

  it.effect("never ends without a timeout", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(untilIdle(() => 0, Duration.infinity))
      yield* TestClock.adjust("1000 days")
      assert.isUndefined(fiber.pollUnsafe())
      yield* Fiber.interrupt(fiber)
    })
  )
})
