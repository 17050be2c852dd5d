import { assert, describe, it } from "@effect/vitest"
import * as GarbageCollector from "../../src/base/GarbageCollector.ts"

describe("the garbage collector", () => {
  it("collects garbage, and returns the duration", () => {
    let held = Array.from({ length: 500_000 }, (_, n) => ({ n }))
    GarbageCollector.collect()
    const before = process.memoryUsage().heapUsed
    assert.lengthOf(held, 500_000)
    held = []
    assert.isAbove(GarbageCollector.collect(), 0)
    assert.isBelow(process.memoryUsage().heapUsed, before - 10_000_000)
    assert.lengthOf(held, 0)
  })
})
