/**
 * The form of the parts of a week.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as fc from "fast-check"
import * as TimeWindow from "../../src/config/TimeWindow.ts"
import { holds } from "../support/property.ts"

const read = (text: string) => Option.getOrUndefined(TimeWindow.fromString(text))

const everyDay = [0, 1, 2, 3, 4, 5, 6]

describe("TimeWindow", () => {
  it.each([
    ["mon-fri 08:00-18:00", [0, 1, 2, 3, 4], 480, 1080],
    ["sat,sun", [5, 6], 0, 1440],
    ["22:00-06:00", everyDay, 1320, 360],
    ["Fri 22:00-06:00", [4], 1320, 360],
    ["fri-mon", [0, 4, 5, 6], 0, 1440],
    ["mon-wed,fri,fri 8:30-24:00", [0, 1, 2, 4], 510, 1440],
    ["mon-mon", [0], 0, 1440],
    ["sun  00:00-00:00", [6], 0, 0]
  ])("reads %s", (text, days, from, to) => {
    assert.deepStrictEqual(read(text), { days, from, to })
  })

  it.each([
    [""],
    ["monday"],
    ["mon-"],
    ["mon,"],
    ["mon-tue-wed"],
    ["08:00"],
    ["08:00-18"],
    ["08:00-25:00"],
    ["24:00-08:00"],
    ["08:60-09:00"],
    ["08:00-18:00 mon-fri"],
    ["mon 08:00-18:00 tue"],
    ["mon 08:00 - 18:00"],
    ["always"]
  ])("reads %j as nothing", (text) => {
    assert.strictEqual(read(text), undefined)
  })

  it("is the same when formatted and read back", () => {
    const window = fc.record({
      days: fc.subarray(everyDay, { minLength: 1 }),
      from: fc.nat(1439),
      to: fc.nat(1440)
    })
    holds(
      fc.property(window, (window) => {
        assert.deepStrictEqual(read(TimeWindow.format(window)), window)
      })
    )
  })
})
