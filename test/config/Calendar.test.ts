/**
 * When it is what time where, on the days too on which clocks are put forward
 * and back.
 */
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as fc from "fast-check"
import * as Calendar from "../../src/config/Calendar.ts"
import * as TimeWindow from "../../src/config/TimeWindow.ts"
import { holds } from "../support/property.ts"

const zone = (name: string) => Option.getOrThrow(DateTime.zoneFromString(name))

const isIn = (window: string, time: string, name = "Europe/Berlin") =>
  Calendar.isIn(
    Option.getOrThrow(TimeWindow.fromString(window)),
    Calendar.clock(zone(name))(Date.parse(time))
  )

// 2026-11-22 is a Sunday.
describe("Calendar", () => {
  it.each([
    ["mon-fri 08:00-18:00", "2026-11-23T06:59:59Z", false],
    ["mon-fri 08:00-18:00", "2026-11-23T07:00:00Z", true],
    ["mon-fri 08:00-18:00", "2026-11-23T16:59:59Z", true],
    ["mon-fri 08:00-18:00", "2026-11-23T17:00:00Z", false],
    ["mon-fri 08:00-18:00", "2026-11-22T09:00:00Z", false],
    ["sat,sun", "2026-11-22T22:59:59Z", true],
    ["sat,sun", "2026-11-22T23:00:00Z", false],
    // In summer, an hour earlier.
    ["mon-fri 08:00-18:00", "2026-07-20T06:00:00Z", true],
    ["mon-fri 08:00-18:00", "2026-07-20T16:00:00Z", false],
    // Over midnight, and over the end of the week.
    ["sun 22:00-06:00", "2026-11-22T21:00:00Z", true],
    ["sun 22:00-06:00", "2026-11-23T04:59:59Z", true],
    ["sun 22:00-06:00", "2026-11-23T05:00:00Z", false],
    ["sun 22:00-06:00", "2026-11-22T04:00:00Z", false],
    ["22:00-06:00", "2026-11-24T02:00:00Z", true],
    ["22:00-06:00", "2026-11-24T12:00:00Z", false],
    ["mon 20:00-24:00", "2026-11-23T22:59:59Z", true],
    ["mon 20:00-24:00", "2026-11-23T23:00:00Z", false],
    // 2026-03-29: from 02:00 to 03:00 at 01:00 UTC. 2026-10-25: from 03:00 back to 02:00 at 01:00 UTC.
    ["sun 01:59-02:00", "2026-03-29T00:59:30Z", true],
    ["sun 03:00-03:01", "2026-03-29T01:00:30Z", true],
    ["sun 02:00-03:00", "2026-03-29T01:00:30Z", false],
    ["sun 02:30-02:31", "2026-10-25T00:30:30Z", true],
    ["sun 02:30-02:31", "2026-10-25T01:30:30Z", true],
    ["sun 08:00-08:00", "2026-11-22T07:00:00Z", false]
  ])("%s, at %s: %s", (window, time, expected) => {
    assert.strictEqual(isIn(window, time), expected)
  })

  it.each([
    ["sun 15:45-15:46", "2026-11-22T10:00:00Z", "Asia/Kathmandu"],
    ["mon 00:00-00:01", "2026-11-22T10:00:00Z", "+14:00"],
    ["sat 22:00-22:01", "2026-11-22T09:00:00Z", "Pacific/Pago_Pago"],
    ["sun 10:00-10:01", "2026-11-22T10:00:00Z", "UTC"]
  ])("%s, at %s in %s", (window, time, name) => {
    assert.isTrue(isIn(window, time, name))
  })

  it("agrees with the system's calendar, in whatever order it is asked", () => {
    const names = ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca"]
    const year = { min: Date.parse("2026-01-01T00:00Z"), max: Date.parse("2027-01-01T00:00Z") }
    const clocks = new Map(names.map((name) => [name, Calendar.clock(zone(name))]))
    holds(
      fc.property(fc.integer(year), fc.constantFrom(...names), (now, name) => {
        const parts = DateTime.toParts(DateTime.makeZonedUnsafe(now, { timeZone: name }))
        const expected = ((parts.weekDay + 6) % 7) * 1440 + parts.hour * 60 + parts.minute
        assert.strictEqual(clocks.get(name)!(now), expected)
      }),
      { numRuns: 500 }
    )
  })
})
