import { assert, describe, it } from "@effect/vitest"
import { byBucket } from "../../src/fleet/Batches.ts"

describe("batches", () => {
  it("are of one bucket each, and not too large", () => {
    const calls = byBucket([1, 2, 3, 4, 5, 6, 7, 8, 9], (number) => number % 2, 3)
    assert.deepStrictEqual([...calls].sort(), [[1, 3, 5], [2, 4, 6], [7, 9], [8]])
    assert.deepStrictEqual(
      byBucket([], () => 0, 3),
      []
    )
  })
})
