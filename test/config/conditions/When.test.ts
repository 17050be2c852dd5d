import { assert, describe, it } from "@effect/vitest"
import { when } from "../../../src/config/conditions/When.ts"
import { written } from "../../support/conditions.ts"

const { formatted, holds, includes, isRead } = written(when)

describe("a condition on the time of the week", () => {
  it("is days, times or both", () => {
    for (const text of ["mon,tue 08:00-18:00", "sat,sun", "22:00-06:00"]) {
      assert.strictEqual(formatted(text), text)
    }
    assert.strictEqual(formatted("fri-mon"), formatted("fri,sat,sun,mon"))
    for (const wrong of ["never", "08:00", "mon-fri 25:00-26:00", ""]) assert.isFalse(isRead(wrong), wrong)
  })

  it("holds at this time, in the time zone of the rule", () => {
    // A Monday.
    const at = (now: string) => holds("mon-fri 08:00-18:00", {}, { now })
    assert.isTrue(at("2024-01-01T08:00Z"))
    assert.isFalse(at("2024-01-01T07:59Z"))
    assert.isFalse(at("2024-01-01T18:00Z"))
    assert.isFalse(at("2024-01-06T12:00Z"))
  })

  it("includes only the same time", () => {
    assert.isTrue(includes("mon-fri 08:00-18:00", "mon-fri 08:00-18:00"))
    assert.isFalse(includes("mon-sun", "mon"))
  })
})
