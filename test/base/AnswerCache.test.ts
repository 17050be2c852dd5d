/**
 * Answers that many want: who looks for them, how long they hold, and what
 * happens to a search that nobody waits for.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as LoginQueue from "../../src/auth/LoginQueue.ts"
import * as AnswerCache from "../../src/base/AnswerCache.ts"
import { settled } from "../support/streams.ts"

describe("AnswerCache", () => {
  it.effect("are remembered as long as they hold, the most recent ones", () =>
    Effect.gen(function* () {
      const { get } = yield* AnswerCache.make<number, never>(2)
      let count = 0
      const ask = (key: string, holdsFor: number) =>
        get(
          key,
          Effect.sync(() => ({ value: ++count, holdsFor }))
        )
      assert.strictEqual(yield* ask("a", 1000), 1)
      yield* TestClock.adjust(999)
      assert.strictEqual(yield* ask("a", 1000), 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* ask("a", 1000), 2)
      assert.strictEqual(yield* ask("b", 0), 3)
      assert.strictEqual(yield* ask("b", 1000), 4)
      assert.strictEqual(yield* ask("a", 1000), 2)
      assert.strictEqual(yield* ask("c", 1000), 5)
      assert.strictEqual(yield* ask("b", 1000), 4)
      assert.strictEqual(yield* ask("a", 1000), 6)
    })
  )

  it.effect("outlive the first request if other requests wait, and fail for all of them", () =>
    Effect.gen(function* () {
      const { get } = yield* AnswerCache.make<number, string>(10)
      const slow = get("a", Effect.delay(Effect.succeed({ value: 1, holdsFor: 0 }), "1 second"))
      const [first, second] = [yield* Effect.forkChild(slow), yield* Effect.forkChild(slow)]
      yield* settled
      yield* Fiber.interrupt(first)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(second), 1)
      assert.strictEqual(yield* Effect.flip(get("a", Effect.fail("no"))), "no")
      assert.strictEqual(
        yield* slow.pipe(
          Effect.forkChild,
          Effect.tap(TestClock.adjust("1 second")),
          Effect.flatMap(Fiber.join)
        ),
        1
      )
    })
  )

  it.effect("are not searched any more without a waiting request", () =>
    Effect.gen(function* () {
      const { get } = yield* AnswerCache.make<number, never>(10)
      let isStopped = false
      const never = Effect.onInterrupt(Effect.never, () =>
        Effect.sync(() => {
          isStopped = true
        })
      )
      const fiber = yield* Effect.forkChild(get("a", never))
      yield* settled
      yield* Fiber.interrupt(fiber)
      yield* settled
      assert.isTrue(isStopped)
      assert.strictEqual(yield* get("a", Effect.succeed({ value: 1, holdsFor: 0 })), 1)
    })
  )

  it.effect("continue a few searches without waiting requests", () =>
    Effect.gen(function* () {
      const { get } = yield* AnswerCache.make<string, never>(10, 1)
      const stopped: Array<string> = []
      const slow = (key: string) =>
        Effect.sleep("1 second").pipe(
          Effect.as({ value: key, holdsFor: 60_000 }),
          Effect.onInterrupt(() => Effect.sync(() => stopped.push(key)))
        )
      const fibers = yield* Effect.forEach(["a", "b"], (key) => Effect.forkChild(get(key, slow(key))))
      yield* settled
      yield* Fiber.interruptAll(fibers)
      yield* settled
      assert.deepStrictEqual(stopped, ["b"])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* get("a", Effect.die("searched again")), "a")
      // Its place is free again.
      const other = yield* Effect.forkChild(get("c", slow("c")))
      yield* settled
      yield* Fiber.interrupt(other)
      yield* settled
      assert.deepStrictEqual(stopped, ["b"])
    })
  )
})

describe("LoginQueue", () => {
  it.effect("runs a bounded number, lets a bounded number wait, and refuses the rest at once", () =>
    Effect.gen(function* () {
      const gate = LoginQueue.make(2, 3)
      let running = 0
      const login = gate(
        Effect.acquireUseRelease(
          Effect.sync(() => ++running),
          () => Effect.sleep("1 second"),
          () => Effect.sync(() => running--)
        )
      )
      const fibers = yield* Effect.forEach(Array.from({ length: 8 }), () =>
        Effect.forkChild(Effect.result(login))
      )
      yield* settled
      assert.strictEqual(running, 2)
      const turnedAway = fibers.filter((fiber) => fiber.pollUnsafe() !== undefined)
      assert.lengthOf(turnedAway, 3)
      for (const fiber of turnedAway) {
        const result = yield* Fiber.join(fiber)
        assert.deepInclude(result, { _tag: "Failure" })
      }
      for (const [left] of [[2], [1], [0]]) {
        yield* TestClock.adjust("1 second")
        assert.strictEqual(running, left)
      }
      yield* Effect.forkChild(login)
      yield* settled
      assert.strictEqual(running, 1)
    })
  )
})
