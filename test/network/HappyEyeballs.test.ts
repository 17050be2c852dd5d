/**
 * When each attempt starts, which one wins, and what becomes of the others.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import * as HappyEyeballs from "../../src/network/HappyEyeballs.ts"

/** How long an attempt takes, and whether it succeeds. */
type Plan = readonly [millis: number, outcome: "ok" | "fails"]

/** Runs attempts named A, B, …; `events` tells when each started and when what it held was released. */
const race = Effect.fnUntraced(function* (...plans: readonly [Plan, ...ReadonlyArray<Plan>]) {
  const start = yield* Clock.currentTimeMillis
  const events: Array<string> = []
  const note = (event: string) =>
    Effect.map(Clock.currentTimeMillis, (now) => events.push(`${now - start} ${event}`))
  const attempt = ([millis, outcome]: Plan, index: number) =>
    Effect.gen(function* () {
      const name = String.fromCharCode(65 + index)
      yield* Effect.acquireRelease(note(`${name} starts`), () => note(`${name} released`))
      yield* Effect.sleep(millis)
      return yield* outcome === "ok" ? Effect.succeed(name) : Effect.fail(name)
    })
  const [first, ...rest] = plans
  const scope = yield* Scope.make()
  const fiber = yield* HappyEyeballs.first(
    [attempt(first, 0), ...rest.map((plan, i) => attempt(plan, i + 1))],
    Duration.millis(250)
  ).pipe(Scope.provide(scope), Effect.forkChild)
  return { events, fiber, close: Scope.close(scope, Exit.void) }
})

describe("HappyEyeballs", () => {
  it.effect("starts the next attempt as soon as the one before has failed", () =>
    Effect.gen(function* () {
      const { events, fiber } = yield* race([10, "fails"], [20, "fails"], [5, "ok"])
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "C")
      assert.deepStrictEqual(events.slice(0, 3), ["0 A starts", "10 B starts", "30 C starts"])
    })
  )

  it.effect("starts the next attempt after 250 ms, while the one before runs", () =>
    Effect.gen(function* () {
      const { events, fiber } = yield* race([10_000, "ok"], [10_000, "ok"], [10_000, "ok"])
      yield* TestClock.adjust("249 millis")
      assert.deepStrictEqual(events, ["0 A starts"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(events, ["0 A starts", "250 B starts"])
      yield* TestClock.adjust("250 millis")
      assert.deepStrictEqual(events, ["0 A starts", "250 B starts", "500 C starts"])
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("starts no second attempt if the first is quick", () =>
    Effect.gen(function* () {
      const { events, fiber } = yield* race([249, "ok"], [1, "ok"])
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "A")
      assert.deepStrictEqual(events, ["0 A starts"])
    })
  )

  it.effect("lets a slow first attempt win if it succeeds before the others", () =>
    Effect.gen(function* () {
      const { events, fiber, close } = yield* race([700, "ok"], [500, "ok"], [10_000, "ok"])
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "A")
      assert.deepStrictEqual(events.slice(0, 3), ["0 A starts", "250 B starts", "500 C starts"])
      assert.sameMembers(events.slice(3), ["700 B released", "700 C released"])
      yield* close
      assert.strictEqual(events.at(-1), "10000 A released")
    })
  )

  it.effect("keeps the winner's resources until the scope closes, and releases the others' at once", () =>
    Effect.gen(function* () {
      const { events, fiber, close } = yield* race([10_000, "ok"], [100, "ok"])
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "B")
      assert.deepStrictEqual(events, ["0 A starts", "250 B starts", "350 A released"])
      yield* close
      assert.deepStrictEqual(events.slice(3), ["1000 B released"])
    })
  )

  it.effect("keeps one of two attempts that succeed at the same moment, and releases the other", () =>
    Effect.gen(function* () {
      const { events, fiber, close } = yield* race([500, "ok"], [250, "ok"])
      yield* TestClock.adjust("1 seconds")
      const winner = yield* Fiber.join(fiber)
      const loser = winner === "A" ? "B" : "A"
      assert.deepStrictEqual(events, ["0 A starts", "250 B starts", `500 ${loser} released`])
      yield* close
      assert.deepStrictEqual(events.slice(3), [`1000 ${winner} released`])
    })
  )

  it.effect("fails when all attempts have failed, with their errors in order", () =>
    Effect.gen(function* () {
      const { events, fiber } = yield* race([900, "fails"], [500, "fails"], [10, "fails"])
      yield* TestClock.adjust("899 millis")
      assert.isUndefined(fiber.pollUnsafe())
      assert.deepStrictEqual(events, ["0 A starts", "250 B starts", "500 C starts"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Effect.flip(Fiber.join(fiber)), ["A", "B", "C"])
    })
  )

  it.effect("waits for a slow attempt when all others have failed", () =>
    Effect.gen(function* () {
      const { fiber } = yield* race([5000, "ok"], [1, "fails"], [1, "fails"])
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "A")
    })
  )

  it.effect("is a plain attempt with only one address", () =>
    Effect.gen(function* () {
      const failing = yield* race([1, "fails"])
      const working = yield* race([1, "ok"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Effect.flip(Fiber.join(failing.fiber)), ["A"])
      assert.strictEqual(yield* Fiber.join(working.fiber), "A")
      assert.deepStrictEqual(working.events, ["0 A starts"])
    })
  )

  it.effect("holds nothing after an interruption and the close of its scope", () =>
    Effect.gen(function* () {
      const { events, fiber, close } = yield* race([10_000, "ok"], [10_000, "ok"], [10_000, "ok"])
      yield* TestClock.adjust("300 millis")
      yield* Fiber.interrupt(fiber)
      yield* close
      assert.sameMembers(events, ["0 A starts", "250 B starts", "300 A released", "300 B released"])
      yield* TestClock.adjust("1 seconds")
      assert.lengthOf(events, 4)
    })
  )
})
