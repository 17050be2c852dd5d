import { execFileSync } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { Slabs } from "../../src/base/Slabs.ts"

const MiB = 1024 * 1024

const take = (slabs: Slabs, count: number): Array<Buffer> =>
  Array.from({ length: count }, () => slabs.take()!)

const dist = (name: string) => JSON.stringify(new URL(`../../dist/base/${name}.js`, import.meta.url).href)

/** The growth of a process, in MiB: when it has taken 99 buffers, filled them, and given them back. Nothing else runs in it. */
const program = `
import { setImmediate } from "node:timers/promises"
import * as GarbageCollector from ${dist("GarbageCollector")}
import { Slabs } from ${dist("Slabs")}
const slabs = new Slabs(${MiB})
GarbageCollector.collect()
const before = process.memoryUsage.rss()
const growth = () => (process.memoryUsage.rss() - before) / ${MiB}
let all = Array.from({ length: 99 }, () => slabs.take())
const taken = growth()
for (const buffer of all) buffer.fill(1)
const filled = growth()
for (const buffer of all) slabs.giveBack(buffer)
all = []
slabs.release()
// Memory of buffers is given back by a thread of the collector's.
do {
  GarbageCollector.collect()
  await setImmediate()
} while (growth() >= 40)
console.log(JSON.stringify({ taken, filled }))`

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

  it("takes memory only for used buffers, and gives memory back to the system", () => {
    const args = ["--input-type=module", "--eval", program]
    const { taken, filled } = JSON.parse(
      execFileSync(process.execPath, args, { encoding: "utf8", timeout: 20_000 })
    )
    assert.isBelow(taken, 40)
    assert.isAbove(filled, 60)
  })
})
