/**
 * Token buckets, held against the simplest account of what they allow.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as TokenBuckets from "../../src/base/TokenBuckets.ts"
import { holds } from "../support/property.ts"

/** Times at which tokens are asked for, in the order of time. */
const times = fc
  .array(fc.oneof(fc.constant(0), fc.nat(50), fc.nat(3000)), { maxLength: 200 })
  .map((gaps) => gaps.map((_, i) => gaps.slice(0, i + 1).reduce((sum, gap) => sum + gap, 1e12)))

describe("TokenBuckets", () => {
  it("gives a second's tokens at once, and then one after another", () => {
    const rates = TokenBuckets.make()
    const take = (now: number) => rates.take("alice", 4, now)
    assert.deepStrictEqual([0, 0, 0, 0, 0].map(take), [0, 0, 0, 0, 250])
    assert.deepStrictEqual([249, 250, 251].map(take), [1, 0, 249])
    // Never more than after a second of rest.
    assert.deepStrictEqual([9000, 9000, 9000, 9000, 9000].map(take), [0, 0, 0, 0, 250])
  })

  it("has a bucket for each key", () => {
    const rates = TokenBuckets.make()
    assert.deepStrictEqual(
      ["alice", "bob", "alice", "bob"].map((key) => rates.take(key, 1, 0)),
      [0, 0, 1000, 1000]
    )
  })

  it("gives the same as a continuously filled bucket", () => {
    holds(
      fc.property(fc.integer({ min: 1, max: 50 }), times, (perSecond, all) => {
        const rates = TokenBuckets.make()
        // In thousandths of a token, which are whole numbers.
        let [tokens, last] = [perSecond * 1000, all[0] ?? 0]
        for (const now of all) {
          tokens = Math.min(tokens + (now - last) * perSecond, perSecond * 1000)
          last = now
          const isGiven = tokens >= 1000
          if (isGiven) tokens -= 1000
          assert.strictEqual(rates.take("alice", perSecond, now) === 0, isGiven)
        }
      })
    )
  })

  it("takes several at once as one after another, as many as there are", () => {
    holds(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 60 }),
        times,
        (perSecond, count, all) => {
          const [one, several] = [TokenBuckets.make(), TokenBuckets.make()]
          for (const now of all) {
            const wait = several.take("alice", perSecond, now, count)
            assert.strictEqual(one.take("alice", perSecond, now), wait)
            for (let left = count - 1; left > 0; left--) one.take("alice", perSecond, now)
          }
        }
      )
    )
  })

  it("gives a token after the reported wait, and none before", () => {
    holds(
      fc.property(fc.integer({ min: 1, max: 1000 }), times, (perSecond, all) => {
        const rates = TokenBuckets.make()
        for (const now of all) {
          const wait = rates.take("alice", perSecond, now)
          if (wait === 0) continue
          if (wait > 1) assert.isAbove(rates.take("alice", perSecond, now + wait - 1), 0)
          assert.strictEqual(rates.take("alice", perSecond, now + wait), 0)
          return
        }
      })
    )
  })

  it("forgets keys after a second without use, even if the clock was set back", () => {
    const rates = TokenBuckets.make()
    for (let i = 0; i < 1000; i++) rates.take(`user ${i}`, 10, i)
    assert.strictEqual(rates.size(), 1000)
    rates.take("alice", 10, 1499)
    assert.strictEqual(rates.size(), 501)
    rates.take("alice", 10, 5000)
    assert.strictEqual(rates.size(), 1)
    rates.take("bob", 10, 1000)
    assert.strictEqual(rates.size(), 1)
  })

  it("uses a new rate at once", () => {
    const rates = TokenBuckets.make()
    for (let i = 0; i < 100; i++) assert.strictEqual(rates.take("alice", 100, 0), 0)
    assert.strictEqual(rates.take("alice", 2, 0), 500)
    assert.strictEqual(rates.take("alice", 2, 500), 0)
    assert.strictEqual(rates.take("alice", 100, 501), 0)
  })
})
