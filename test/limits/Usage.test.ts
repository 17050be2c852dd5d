/**
 * Bytes by the day and by the month, over midnights, month ends and restarts.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Usage from "../../src/limits/Usage.ts"
import { holds } from "../support/property.ts"
import { received } from "../support/usage.ts"

const at = (text: string) => Date.parse(text)

describe("Usage", () => {
  it("adds up for each account", () => {
    const usage = Usage.make()
    const now = at("2026-11-22T12:00:00Z")
    usage.add("alice", received(10), now)
    usage.add("bob", received(5), now)
    usage.add("alice", received(7), now)
    assert.deepStrictEqual(usage.of("alice", now), { day: 17, month: 17 })
    assert.deepStrictEqual(usage.of("bob", now), { day: 5, month: 5 })
    assert.deepStrictEqual(usage.of("carol", now), { day: 0, month: 0 })
  })

  it.each([
    ["midnight", "2026-11-22T23:59:59.999Z", "2026-11-23T00:00:00.000Z", { day: 0, month: 9 }],
    ["no midnight", "2026-11-22T00:00:00.000Z", "2026-11-22T23:59:59.999Z", { day: 9, month: 9 }],
    ["a month's end", "2026-11-30T23:59:59.999Z", "2026-12-01T00:00:00.000Z", { day: 0, month: 0 }],
    ["a year's end", "2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00.000Z", { day: 0, month: 0 }],
    ["a leap day", "2028-02-28T12:00:00Z", "2028-02-29T12:00:00Z", { day: 0, month: 9 }],
    ["a year to the day", "2026-11-22T12:00:00Z", "2027-11-22T12:00:00Z", { day: 0, month: 0 }],
    ["a clock set back a day", "2026-11-22T12:00:00Z", "2026-11-21T12:00:00Z", { day: 0, month: 9 }]
  ])("over %s, and over a restart then", (_, before, after, left) => {
    const usage = Usage.make()
    usage.add("alice", received(9), at(before))
    const kept = usage.snapshot(at(before))
    assert.deepStrictEqual(usage.of("alice", at(after)), left)
    assert.deepStrictEqual(Usage.make(kept).of("alice", at(after)), left)
  })

  it.each([
    ["in 1970", ["1970-01-01T00:00:05Z"]],
    ["a day behind", ["2026-11-21T12:00:00Z"]],
    ["a month behind", ["2026-10-22T12:00:00Z"]],
    ["in 2099", ["2099-01-01T12:00:00Z", "2099-01-02T12:00:00Z"]],
    ["here and there", ["1970-01-01T12:00:00Z", "2099-01-01T12:00:00Z", "2026-10-01T12:00:00Z"]]
  ])("loses nothing by a clock that was %s for a while, with a restart then or without", (_, wrong) => {
    const now = at("2026-11-22T12:00:00Z")
    const usage = Usage.make()
    usage.add("alice", received(9), now)
    let restarted = Usage.make(usage.snapshot(now))
    for (const time of wrong.map(at)) {
      for (const each of [usage, restarted]) {
        assert.strictEqual(each.of("alice", time).day, 0)
        each.add("bob", received(1), time)
      }
      restarted = Usage.make(restarted.snapshot(time))
    }
    for (const each of [usage, restarted, Usage.make(usage.snapshot(now))]) {
      assert.deepStrictEqual(each.of("alice", now), { day: 9, month: 9 })
    }
  })

  it("begins months on another day than the first", () => {
    const usage = Usage.make(undefined, 15)
    usage.add("alice", received(9), at("2026-11-20T12:00:00Z"))
    assert.deepStrictEqual(usage.of("alice", at("2026-12-14T23:59:59Z")), { day: 0, month: 9 })
    const kept = usage.snapshot(at("2026-12-14T23:59:59Z"))
    assert.deepStrictEqual(Usage.make(kept, 15).of("alice", at("2026-12-14T23:59:59Z")), { day: 0, month: 9 })
    assert.deepStrictEqual(usage.of("alice", at("2026-12-15T00:00:00Z")), { day: 0, month: 0 })
  })

  it("counts in a month the usage of each day of the clock", () => {
    const usage = Usage.make()
    usage.add("alice", received(9), at("2026-11-22T12:00:00Z"))
    usage.add("alice", received(5), at("2026-11-20T12:00:00Z"))
    assert.deepStrictEqual(usage.of("alice", at("2026-11-20T12:00:00Z")), { day: 5, month: 14 })
    assert.deepStrictEqual(usage.of("alice", at("2026-11-22T12:00:00Z")), { day: 9, month: 14 })
  })

  it("does not grow with the leaps of a clock", () => {
    const usage = Usage.make()
    for (let day = 0; day < 60; day += 2) usage.add("alice", received(1), at("2026-11-22") + day * 86_400_000)
    assert.isAtMost(usage.snapshot(at("2027-01-20")).others?.length ?? 0, 5)
  })

  it("forgets accounts without usage this month", () => {
    const usage = Usage.make()
    usage.add("alice", received(9), at("2026-11-30T12:00:00Z"))
    usage.add("bob", received(0), at("2026-12-01T12:00:00Z"))
    assert.deepStrictEqual(usage.snapshot(at("2026-12-01T12:00:00Z")), { date: "2026-12-01", accounts: [] })
  })

  it("takes any name", () => {
    const usage = Usage.make()
    const now = at("2026-11-22T12:00:00Z")
    for (const name of ["__proto__", "constructor", ""]) {
      usage.add(name, received(3), now)
      assert.deepStrictEqual(Usage.make(usage.snapshot(now)).of(name, now), { day: 3, month: 3 })
    }
  })

  it("is the sum of all bytes moved", () => {
    const moves = fc.array(fc.tuple(fc.nat(40 * 86_400_000), fc.nat(1000), fc.boolean()), { maxLength: 60 })
    holds(
      fc.property(moves, (all) => {
        const sorted = all
          .map(([time, bytes, restarts]) => ({ time: at("2026-10-15") + time, bytes, restarts }))
          .sort((one, other) => one.time - other.time)
        let usage = Usage.make()
        sorted.forEach(({ time, bytes, restarts }, i) => {
          usage.add("alice", received(bytes), time)
          if (restarts) usage = Usage.make(usage.snapshot(time))
          const since = (length: number) =>
            sorted
              .slice(0, i + 1)
              .filter((move) => iso(move.time).slice(0, length) === iso(time).slice(0, length))
              .reduce((sum, move) => sum + move.bytes, 0)
          assert.deepStrictEqual(usage.of("alice", time), { day: since(10), month: since(7) })
        })
      })
    )
  })

  it("reports the end of a day and of a month", () => {
    const ends = (time: string, resetDay?: number) =>
      (["day", "month"] as const).map((it) => iso(Usage.make(undefined, resetDay).endOf(it, at(time))))
    assert.deepStrictEqual(ends("2026-11-22T12:00:00Z"), [
      "2026-11-23T00:00:00.000Z",
      "2026-12-01T00:00:00.000Z"
    ])
    assert.deepStrictEqual(ends("2026-12-31T00:00:00Z"), [
      "2027-01-01T00:00:00.000Z",
      "2027-01-01T00:00:00.000Z"
    ])
    assert.strictEqual(ends("2026-12-14T23:59:59Z", 15)[1], "2026-12-15T00:00:00.000Z")
    assert.strictEqual(ends("2026-12-15T00:00:00Z", 15)[1], "2027-01-15T00:00:00.000Z")
  })
})

const iso = (time: number) => new Date(time).toISOString()
