/**
 * Answers that readers share.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as SharedAnswers from "../../src/admin/SharedAnswers.ts"

const utf8 = new TextEncoder()

/** Answers with the number of the making, each of which takes so many milliseconds. */
const answering = Effect.fnUntraced(function* (time: number, status = 200) {
  const state = { made: 0 }
  const answers = yield* SharedAnswers.make((target) =>
    Effect.suspend(() => {
      const number = ++state.made
      return Effect.as(Effect.sleep(time), {
        ...{ status, headers: {} },
        body: utf8.encode(`${target} ${number}`)
      })
    })
  )
  const read = (target: string) =>
    Effect.map(answers.read(target), ({ body }) => new TextDecoder().decode(body))
  return { state, read, forget: answers.forget, answer: answers.read }
})

/** The results of as many fibers. */
const together = <A>(count: number, effect: Effect.Effect<A>) =>
  Effect.forEach(Array.from({ length: count }), () => Effect.forkChild(effect, { startImmediately: true }))

describe("answers", () => {
  it.effect("are made once for all who ask at the same time", () =>
    Effect.gen(function* () {
      const { state, read } = yield* answering(10)
      const readers = yield* together(50, read("/a"))
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(new Set(yield* Fiber.joinAll(readers)), new Set(["/a 1"]))
      assert.strictEqual(state.made, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("are those of now for few readers, and of a second ago at most for many", () =>
    Effect.gen(function* () {
      const { state, read } = yield* answering(0)
      assert.strictEqual(yield* read("/a"), "/a 1")
      assert.strictEqual(yield* read("/a"), "/a 2")
      for (let i = 0; i < 1000; i++) yield* read("/a")
      const { made } = state
      assert.isBelow(made, 40)
      for (let i = 0; i < 100; i++) {
        yield* TestClock.adjust(100)
        yield* Effect.forEach(Array.from({ length: 20 }), () => read("/a"))
      }
      // In ten seconds: twice a second.
      assert.isBelow(state.made - made, 25)
      assert.isAtLeast(state.made - made, 18)
      // Then by fewer, each of whom gets what is now.
      yield* TestClock.adjust("1 second")
      for (let i = 0; i < 20; i++) {
        yield* TestClock.adjust(200)
        assert.strictEqual(yield* read("/a"), `/a ${state.made}`)
      }
      assert.isAtLeast(state.made - made, 38)
    }).pipe(Effect.scoped)
  )

  it.effect("are made anew after a change", () =>
    Effect.gen(function* () {
      const { state, read, forget } = yield* answering(0)
      for (let i = 0; i < 100; i++) yield* read("/a")
      const { made } = state
      forget()
      const reader = yield* Effect.forkChild(read("/a"), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(reader), `/a ${made + 1}`)
    }).pipe(Effect.scoped)
  )

  it.effect("to many different questions take a bounded part of the time, and are refused beyond", () =>
    Effect.gen(function* () {
      const { state, answer } = yield* answering(0)
      let refused = 0
      for (let i = 0; i < 1000; i++) {
        const asking = Effect.map(answer(`/${i}`), ({ status }) => {
          if (status === 503) refused++
        })
        yield* Effect.forkChild(asking, { startImmediately: true })
      }
      yield* TestClock.adjust("1 minute")
      assert.isAbove(refused, 800)
      assert.strictEqual(state.made + refused, 1000)
    }).pipe(Effect.scoped)
  )

  it.effect("that refuse are not kept", () =>
    Effect.gen(function* () {
      const { read } = yield* answering(0, 422)
      for (let i = 1; i < 20; i++) assert.strictEqual(yield* read("/a"), `/a ${i}`)
    }).pipe(Effect.scoped)
  )
})
