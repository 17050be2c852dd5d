/**
 * How often the sessions are listed.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import * as SessionList from "../../src/admin/SessionList.ts"

const listing = (time: number) => {
  const state = { lists: 0 }
  const list = Effect.andThen(
    Effect.sync(() => {
      state.lists++
      return []
    }),
    (all) => Effect.as(Effect.sleep(time), all)
  )
  return { state, ...SessionList.make(list) }
}

it.effect("a list that takes long is shared by all readers, for a second", () =>
  Effect.gen(function* () {
    const { state, read, forget } = listing(100)
    const readers = yield* Effect.forkChild(Effect.all([read, read, read], { concurrency: "unbounded" }))
    yield* TestClock.adjust(100)
    yield* readers.pipe((fiber) => Effect.promise(() => new Promise((resolve) => fiber.addObserver(resolve))))
    assert.strictEqual(state.lists, 1)
    yield* TestClock.adjust(999)
    yield* read
    assert.strictEqual(state.lists, 1)
    yield* forget
    yield* Effect.forkChild(read, { startImmediately: true })
    assert.strictEqual(state.lists, 2)
  })
)

it.effect("a list that is made fast is made for each reader", () =>
  Effect.gen(function* () {
    const { state, read } = listing(0)
    for (let i = 0; i < 2; i++) {
      const reader = yield* Effect.forkChild(read)
      yield* TestClock.adjust(0)
      yield* Effect.promise(() => new Promise((resolve) => reader.addObserver(resolve)))
    }
    assert.strictEqual(state.lists, 2)
  })
)
