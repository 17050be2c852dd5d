/**
 * An effect, and an event that may come first.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { type Event, unless } from "../../src/base/Abortable.ts"

/** An event that the test lets happen, and what became of it. */
const event = () => {
  const state = { happen: () => {}, waits: 0 }
  const on: Event = (happen) => {
    state.happen = happen
    state.waits++
    return () => {
      state.waits--
    }
  }
  return { state, on }
}

const otherwise = Effect.fail("otherwise")

describe("unless", () => {
  it.effect("does not wait for the event if the effect ends at once", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* unless(Effect.succeed(1), () => assert.fail(), otherwise), 1)
      assert.strictEqual(yield* Effect.flip(unless(Effect.fail("no"), () => assert.fail(), otherwise)), "no")
    })
  )

  it.effect("ends like the effect, and stops waiting for the event", () =>
    Effect.gen(function* () {
      const { state, on } = event()
      const slow = yield* Deferred.make<number, string>()
      const fiber = yield* Effect.forkChild(unless(Deferred.await(slow), on, otherwise))
      yield* Effect.yieldNow
      assert.strictEqual(state.waits, 1)
      yield* Deferred.succeed(slow, 2)
      assert.strictEqual(yield* Fiber.join(fiber), 2)
      assert.strictEqual(state.waits, 0)
      state.happen()
    })
  )

  for (const isLate of [true, false]) {
    it.effect(
      `interrupts the effect when the event ${isLate ? "comes" : "has been"}, and waits for its cleanup`,
      () =>
        Effect.gen(function* () {
          const { state, on } = event()
          const done: Array<string> = []
          const cleanUp = Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => done.push("cleaned up"))
          )
          const early: Event = (happen) => {
            happen()
            return on(happen)
          }
          const fiber = yield* Effect.never.pipe(
            Effect.ensuring(cleanUp),
            (slow) => unless(slow, isLate ? on : early, otherwise),
            Effect.ensuring(Effect.sync(() => done.push("went on"))),
            Effect.forkChild
          )
          yield* Effect.yieldNow
          if (isLate) {
            assert.deepStrictEqual(done, [])
            state.happen()
            state.happen()
          }
          assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail("otherwise"))
          assert.deepStrictEqual(done, ["cleaned up", "went on"])
          assert.strictEqual(state.waits, 0)
        })
    )
  }

  it.effect("is interrupted with its effect", () =>
    Effect.gen(function* () {
      const { state, on } = event()
      let isCleanedUp = false
      const slow = Effect.onInterrupt(Effect.never, () =>
        Effect.sync(() => {
          isCleanedUp = true
        })
      )
      const fiber = yield* Effect.forkChild(unless(slow, on, otherwise))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.isTrue(isCleanedUp)
      assert.strictEqual(state.waits, 0)
    })
  )
})
