/**
 * How soon there is another worker.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Respawn from "../../src/workers/Respawn.ts"

describe("Respawn", () => {
  it("is immediate after a worker that served, and after the first that did not", () => {
    for (const isAnyServing of [true, false]) {
      assert.strictEqual(Respawn.delayAfter(0, isAnyServing), 0)
      assert.strictEqual(Respawn.delayAfter(1, isAnyServing), 0)
    }
  })

  it("waits longer each time that a worker ends before it serves, up to ten seconds while others serve", () => {
    const delays = Array.from({ length: 12 }, (_, index) => Respawn.delayAfter(index + 2, true))
    assert.deepStrictEqual(delays, [100, 200, 400, 800, 1600, 3200, 6400, ...Array(5).fill(10_000)])
  })

  it("waits a second at most if no worker serves", () => {
    const delays = Array.from({ length: 6 }, (_, index) => Respawn.delayAfter(index + 2, false))
    assert.deepStrictEqual(delays, [100, 200, 400, 800, 1000, 1000])
    assert.strictEqual(Respawn.delayAfter(5000, false), 1000)
  })
})
