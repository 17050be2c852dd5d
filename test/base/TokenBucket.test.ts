/**
 * A bucket by itself: what it holds, and how fast it fills.
 */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import * as TokenBucket from "../../src/base/TokenBucket.ts"
import { holds } from "../support/property.ts"

describe("TokenBucket", () => {
  it("starts with a quarter of a second's worth and holds no more", () => {
    const bucket = TokenBucket.make(1000, 5000)
    assert.strictEqual(bucket.tokens, 250)
    TokenBucket.fill(bucket, 60_000)
    assert.strictEqual(bucket.tokens, 250)
    assert.isTrue(TokenBucket.isFull(bucket))
  })

  it("is filled at its rate, also out of debt", () => {
    const bucket = TokenBucket.make(1000, 0)
    bucket.tokens = -500
    TokenBucket.fill(bucket, 100)
    assert.closeTo(bucket.tokens, -400, 1e-6)
    TokenBucket.fill(bucket, 600)
    assert.closeTo(bucket.tokens, 100, 1e-6)
    assert.isFalse(TokenBucket.isFull(bucket))
  })

  it("holds a second's worth while a flow waits", () => {
    const bucket = TokenBucket.make(1000, 0)
    bucket.waiting = 1
    bucket.tokens = -200
    TokenBucket.fill(bucket, 1000)
    assert.closeTo(bucket.tokens, 800, 1e-6)
    TokenBucket.fill(bucket, 5000)
    assert.strictEqual(bucket.tokens, 1000)
    bucket.waiting = 0
    TokenBucket.fill(bucket, 5000)
    assert.strictEqual(bucket.tokens, 250)
  })

  it("changes its rate at once, and keeps its debt", () => {
    const bucket = TokenBucket.make(1000, 0)
    bucket.tokens = -1000
    TokenBucket.setRate(bucket, 4000, 500)
    assert.closeTo(bucket.tokens, -500, 1e-6)
    TokenBucket.fill(bucket, 750)
    assert.closeTo(bucket.tokens, 500, 1e-6)
    TokenBucket.setRate(bucket, 100, 750)
    assert.closeTo(bucket.tokens, 25, 1e-6)
  })

  it("passes in any time what its rate allows, plus a burst and the last piece", () => {
    const steps = fc.array(fc.tuple(fc.nat({ max: 500 }), fc.integer({ min: 1, max: 65_536 })), {
      maxLength: 200
    })
    holds(
      fc.property(fc.integer({ min: 100, max: 1_000_000 }), steps, (rate, pieces) => {
        const bucket = TokenBucket.make(rate, 0)
        let time = 0
        let passed = 0
        for (const [wait, size] of pieces) {
          time += wait
          TokenBucket.fill(bucket, time)
          if (bucket.tokens <= 0) continue
          bucket.tokens -= size
          passed += size
          assert.isAtMost(passed - size, rate * (time / 1000 + 0.25) + 1e-3)
        }
      })
    )
  })
})
