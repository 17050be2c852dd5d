/**
 * One line for much that happened.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as Summary from "../../src/session/Summary.ts"

const make = (after: number, pause: number) =>
  Effect.gen(function* () {
    const lines: Array<unknown> = []
    const { note } = yield* Summary.make({
      after,
      pause,
      log: (counts) => Effect.sync(() => void lines.push(counts))
    })
    return { note, lines }
  })

describe("a summary", () => {
  it.effect("is one line with a number for each kind, and no line without events", () =>
    Effect.gen(function* () {
      const { note, lines } = yield* make(60_000, 0)
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual(lines, [])
      for (let i = 0; i < 1000; i++) note("one")
      note("another")
      yield* TestClock.adjust(59_000)
      assert.deepStrictEqual(lines, [])
      yield* TestClock.adjust(1000)
      assert.deepStrictEqual(lines, [{ one: 1000, another: 1 }])
      yield* TestClock.adjust("1 hour")
      assert.lengthOf(lines, 1)
    })
  )

  it.effect("keeps its pause between two lines, and loses no event", () =>
    Effect.gen(function* () {
      const { note, lines } = yield* make(1000, 60_000)
      for (let i = 0; i < 121; i++) {
        note("one")
        yield* TestClock.adjust(1000)
      }
      assert.deepStrictEqual(lines, [{ one: 1 }, { one: 61 }])
      yield* TestClock.adjust(120_000)
      assert.deepStrictEqual(lines, [{ one: 1 }, { one: 61 }, { one: 59 }])
    })
  )

  it.effect("is written at the end, too", () =>
    Effect.gen(function* () {
      const lines = yield* Effect.scoped(
        Effect.gen(function* () {
          const { note, lines } = yield* make(60_000, 0)
          yield* TestClock.adjust(1)
          note("one")
          return lines
        })
      )
      assert.deepStrictEqual(lines, [{ one: 1 }])
    })
  )
})
