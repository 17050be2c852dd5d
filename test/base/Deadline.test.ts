/**
 * Deadlines by the test's clock: each at its time, whatever others there are.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as Deadline from "../../src/base/Deadline.ts"

/** Sets deadlines, in milliseconds; notes which have passed. */
const deadlines = Effect.withFiberSucceed((fiber) => {
  const passed: Array<number> = []
  const set = (millis: number) =>
    Deadline.after(fiber, Duration.millis(millis), () => {
      passed.push(millis)
    })
  return { passed, set }
})

describe("Deadline", () => {
  it.effect("passes at its time and not before, once", () =>
    Effect.gen(function* () {
      const { passed, set } = yield* deadlines
      set(10_000)
      yield* TestClock.adjust("9999 millis")
      assert.deepStrictEqual(passed, [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(passed, [10_000])
      yield* TestClock.adjust("1 hours")
      assert.deepStrictEqual(passed, [10_000])
    })
  )

  it.effect("serves many deadlines of any length, set at any time", () =>
    Effect.gen(function* () {
      const { passed, set } = yield* deadlines
      set(5000)
      set(3000)
      yield* TestClock.adjust("1 seconds")
      set(2000)
      set(1000)
      set(5000)
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(passed, [1000])
      yield* TestClock.adjust("1 seconds")
      assert.sameMembers(passed, [1000, 2000, 3000])
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(passed.slice(3), [5000])
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(passed.slice(3), [5000, 5000])
      set(700)
      yield* TestClock.adjust("700 millis")
      assert.deepStrictEqual(passed.slice(5), [700])
    })
  )

  it.effect("does not pass when it is cancelled, and never if it is infinite", () =>
    Effect.gen(function* () {
      const { passed, set } = yield* deadlines
      const [callOff] = [set(1000), set(1000)]
      set(Infinity)
      callOff()
      yield* TestClock.adjust("1 hours")
      assert.deepStrictEqual(passed, [1000])
    })
  )

  it.effect("ends an effect that takes too long, and no other", () =>
    Effect.gen(function* () {
      const within = (millis: number) =>
        Deadline.within(
          Effect.as(Effect.sleep(millis), "done"),
          Duration.seconds(1),
          Effect.succeed("too late")
        )
      const [quick, slow] = [yield* Effect.forkChild(within(999)), yield* Effect.forkChild(within(1001))]
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(yield* Fiber.join(quick), "done")
      assert.isUndefined(slow.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(slow), "too late")
    })
  )

  it.effect("has no timer after the last deadline, and a new one for the next", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let sleeps = 0
      const counting: Clock.Clock = {
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe(),
        currentTimeMillis: clock.currentTimeMillis,
        currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
        currentTimeNanos: clock.currentTimeNanos,
        monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
        monotonicTimeNanos: clock.monotonicTimeNanos,
        sleep: (duration) =>
          Effect.suspend(() => {
            sleeps++
            return clock.sleep(duration)
          })
      }
      const passed: Array<number> = []
      const set = (millis: number) =>
        Effect.withFiberSucceed((fiber) =>
          Deadline.after(fiber, Duration.millis(millis), () => {
            passed.push(millis)
          })
        ).pipe(Effect.provideService(Clock.Clock, counting))
      const callOffs = [yield* set(5000), yield* set(8000)]
      yield* TestClock.adjust("1 seconds")
      assert.isAbove(sleeps, 1)
      for (const callOff of callOffs) callOff()
      yield* TestClock.adjust("100 millis")
      sleeps = 0
      yield* TestClock.adjust("1 hours")
      assert.strictEqual(sleeps, 0)
      yield* set(50)
      yield* TestClock.adjust("50 millis")
      assert.deepStrictEqual(passed, [50])
    })
  )
})
