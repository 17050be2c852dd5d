import { setImmediate } from "node:timers/promises"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as GarbageCollector from "../../src/base/GarbageCollector.ts"
import { Slabs } from "../../src/base/Slabs.ts"

const MiB = 1024 * 1024

const take = (slabs: Slabs, count: number): Array<Buffer> =>
  Array.from({ length: count }, () => slabs.take()!)

/** The memory of the process when no more garbage of other tests goes back to the system. */
const settled = Effect.promise(async () => {
  let before = Number.POSITIVE_INFINITY
  for (let calm = 0; calm < 20; calm++) {
    GarbageCollector.collect()
    await setImmediate()
    const now = process.memoryUsage.rss()
    if (now < before) calm = 0
    before = Math.min(before, now)
  }
  return before
})

describe("Slabs", () => {
  it("gives each buffer its own bytes", () => {
    const all = take(new Slabs(MiB), 70)
    for (const [i, buffer] of all.entries()) buffer.fill(i)
    for (const [i, buffer] of all.entries()) {
      assert.lengthOf(buffer, MiB)
      assert.isTrue(buffer.equals(Buffer.alloc(MiB, i)))
    }
  })

  it("reuses returned buffers, and gives no more at once than its limit", () => {
    const slabs = new Slabs(1024, 2)
    const [first, second] = [slabs.take(), slabs.take()]
    assert.isUndefined(slabs.take())
    slabs.giveBack(first!)
    assert.strictEqual(slabs.take(), first)
    assert.isUndefined(slabs.take())
    slabs.giveBack(second!)
    assert.strictEqual(slabs.take(), second)
  })

  it("fills the first slab with room, and drops empty slabs", () => {
    const slabs = new Slabs(11 * MiB)
    const [one, , , four] = take(slabs, 4)
    assert.notStrictEqual(four!.buffer, one!.buffer)
    slabs.giveBack(four!)
    slabs.giveBack(one!)
    slabs.release()
    assert.strictEqual(slabs.take(), one)
    // There is no other slab any more.
    assert.notStrictEqual(slabs.take()!.buffer, four!.buffer)
  })

  it.live("takes memory only for used buffers, and gives memory back to the system", () =>
    Effect.gen(function* () {
      const slabs = new Slabs(MiB)
      const before = yield* settled
      let all = take(slabs, 99)
      assert.isBelow(process.memoryUsage.rss() - before, 40 * MiB)
      for (const buffer of all) buffer.fill(1)
      assert.isAbove(process.memoryUsage.rss() - before, 60 * MiB)
      for (const buffer of all) slabs.giveBack(buffer)
      all = []
      slabs.release()
      // Memory of buffers is given back by a thread of the collector's.
      yield* Effect.promise(async () => {
        do {
          GarbageCollector.collect()
          await setImmediate()
        } while (process.memoryUsage.rss() - before >= 40 * MiB)
      })
      assert.lengthOf(all, 0)
    })
  )
})
