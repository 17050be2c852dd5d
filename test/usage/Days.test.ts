/**
 * Days and the months of quotas, which may begin on another day than the first.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Days from "../../src/usage/Days.ts"
import { holds } from "../support/property.ts"

describe("Days", () => {
  it.each([
    ["2026-11-22", 1, "2026-11-01", "2026-12-01"],
    ["2026-11-01", 1, "2026-11-01", "2026-12-01"],
    ["2026-12-31", 1, "2026-12-01", "2027-01-01"],
    ["2026-11-14", 15, "2026-10-15", "2026-11-15"],
    ["2026-11-15", 15, "2026-11-15", "2026-12-15"],
    ["2027-01-14", 15, "2026-12-15", "2027-01-15"],
    ["2028-02-29", 28, "2028-02-28", "2028-03-28"]
  ])("%s is in the month from the %d. of %s to %s", (day, resetDay, first, next) => {
    assert.strictEqual(Days.monthStart(day, resetDay), first)
    assert.strictEqual(Days.nextMonthStart(day, resetDay), next)
  })

  it("puts each day into one month", () => {
    holds(
      fc.property(
        fc.integer({ min: 0, max: 40_000 }),
        fc.integer({ min: 1, max: 28 }),
        (number, resetDay) => {
          const day = Days.dayOf(number * 86_400_000)
          const [first, next] = [Days.monthStart(day, resetDay), Days.nextMonthStart(day, resetDay)]
          assert.isTrue(first <= day && day < next)
          assert.strictEqual(Days.monthStart(Days.dayOf(Date.parse(next) - 1), resetDay), first)
          assert.strictEqual(Days.monthStart(next, resetDay), next)
        }
      )
    )
  })

  it("knows days of the calendar", () => {
    const days = ["2026-11-22", "2028-02-29", "2026-02-29", "2026-1-1", "2026-13-01", "", "2026-11"]
    assert.deepStrictEqual(days.map(Days.isDay), [true, true, false, false, false, false, false])
  })
})
