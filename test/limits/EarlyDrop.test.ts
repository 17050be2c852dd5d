/**
 * How likely one more is turned away.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { chance, partOf, upTo } from "../../src/limits/EarlyDrop.ts"
import { holds } from "../support/property.ts"

const settings = fc
  .tuple(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 100 }), fc.nat(500))
  .map(([start, rate, more]) => ({ start, rate, full: start + more }))

describe("EarlyDrop", () => {
  it("grows evenly from the rate at the start to certainty", () => {
    const drop = { start: 10, rate: 30, full: 100 }
    assert.deepStrictEqual(
      [0, 9, 10, 55, 99, 100, 1000].map((count) => chance(count, drop)),
      [0, 0, 0.3, 0.65, (30 + (70 * 89) / 90) / 100, 1, 1]
    )
  })

  it("agrees with the formula of sshd, except its whole percents", () => {
    // drop_connection() of OpenSSH's sshd.c.
    const sshd = (startups: number, { start, rate, full }: { start: number; rate: number; full: number }) => {
      if (startups < start) return 0
      if (startups >= full || rate === 100) return 100
      return Math.trunc(((100 - rate) * (startups - start)) / (full - start)) + rate
    }
    holds(
      fc.property(fc.nat(1200), settings, (count, drop) => {
        const difference = chance(count, drop) * 100 - sshd(count, drop)
        assert.isTrue(difference > -1e-9 && difference < 1)
      })
    )
  })

  it("never falls with more handshakes, and stays between 0 and 1", () => {
    holds(
      fc.property(fc.nat(1200), settings, (count, drop) => {
        const [now, next] = [chance(count, drop), chance(count + 1, drop)]
        assert.isTrue(0 <= now && now <= next && next <= 1)
      })
    )
  })

  it("has a default for any limit of handshakes", () => {
    for (const full of [1, 2, 3, 8, 500]) {
      const drop = upTo(full)
      assert.isTrue(drop.start >= 1 && drop.start <= full)
      assert.strictEqual(chance(0, drop), 0)
      assert.strictEqual(chance(full, drop), 1)
    }
  })
})

it("is divided among processes, with one for each at least", () => {
  const drop = { start: 10, rate: 30, full: 101 }
  assert.deepStrictEqual(partOf(drop, 1), drop)
  assert.deepStrictEqual(partOf(drop, 1 / 2), { start: 5, rate: 30, full: 50 })
  assert.deepStrictEqual(partOf({ start: 1, rate: 30, full: 2 }, 1 / 4), {
    start: 1,
    rate: 30,
    full: 1
  })
})
