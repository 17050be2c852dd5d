/**
 * How many lines a flood may cost.
 */
import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as LineBudget from "../../src/base/LineBudget.ts"
import { holds } from "../support/property.ts"

const most = { each: 5, all: 50 }

it("shows the first five lines of a source, and the first fifty of all", () => {
  const log = LineBudget.make(most)
  const shown = (source: string, times: number) =>
    Array.from({ length: times }, () => log.note(source, 0)).filter(({ isShown }) => isShown).length
  assert.strictEqual(shown("one", 100), 5)
  for (let n = 0; n < 9; n++) assert.strictEqual(shown(`other ${n}`, 6), 5)
  assert.strictEqual(shown("another", 100), 0)
  assert.deepStrictEqual(log.note("one", LineBudget.period), { isShown: true, leftOut: 95 + 9 + 100 })
  assert.deepStrictEqual(log.note("one", LineBudget.period), { isShown: true, leftOut: 0 })
})

it("shows or counts every line, and never shows more than fifty in a period", () => {
  holds(
    fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat(500)), { maxLength: 400, size: "max" }), (steps) => {
      const log = LineBudget.make(most)
      let now = 0
      let shown = 0
      let leftOut = 0
      const times: Array<number> = []
      for (const [source, time] of steps) {
        now += time
        const noted = log.note(`${source}`, now)
        if (noted.isShown) times.push(now)
        shown += Number(noted.isShown)
        leftOut += noted.leftOut
      }
      now += LineBudget.period
      leftOut += log.note("last", now).leftOut
      assert.strictEqual(shown + leftOut, steps.length)
      // Periods follow each other: two of them may meet in any such time.
      for (const from of times)
        assert.isAtMost(times.filter((at) => at >= from && at < from + LineBudget.period).length, 100)
    })
  )
})
