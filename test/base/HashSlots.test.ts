/**
 * Slots of hash tables: each entry is found from the slot of its hash on, before
 * any free one.
 */
import { assert, describe, it } from "@effect/vitest"
import * as HashSlots from "../../src/base/HashSlots.ts"

const find = (slots: Int32Array, hashes: ArrayLike<number>, number: number): boolean => {
  const mask = slots.length - 1
  for (let slot = hashes[number]! & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
    if (slots[slot] === number + 1) return true
  }
  return false
}

describe("HashSlots", () => {
  it("keeps entries with the same slot, beyond the end of the array, and in a larger array", () => {
    const hashes = Int32Array.of(7, 7, 15, -1)
    let slots: Int32Array = new Int32Array(8)
    for (const [number, hash] of hashes.entries()) HashSlots.enter(slots, hash, number)
    for (const number of hashes.keys()) assert.isTrue(find(slots, hashes, number), String(number))
    slots = HashSlots.doubled(slots, hashes, hashes.length)
    assert.lengthOf(slots, 16)
    for (const number of hashes.keys()) assert.isTrue(find(slots, hashes, number), String(number))
  })
})
