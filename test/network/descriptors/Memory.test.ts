import { assert, describe, it } from "@effect/vitest"
import * as Memory from "../../../src/network/descriptors/Memory.ts"

const make = () => {
  const buffer = new ArrayBuffer(Memory.size)
  return { memory: Memory.cut(buffer, 0x10000), bytes: Buffer.from(buffer) }
}

describe("the memory of system calls", () => {
  it("gives the address of bytes that are in the region", () => {
    const { memory } = make()
    const { input } = memory
    const start = input.address(0, 0)
    assert.strictEqual(input.address(100, input.size - 100), start + 100)
    assert.strictEqual(input.address(input.size, 0), start + input.size)
    input.bytes[100] = 7
    assert.strictEqual(make().bytes.length, Memory.size)
  })

  it("refuses every offset and size that is not in the region", () => {
    const { memory } = make()
    const { input } = memory
    const { size } = input
    const wrong: ReadonlyArray<readonly [offset: number, size: number]> = [
      [-1, 1],
      [0, -1],
      [0, size + 1],
      [size, 1],
      [1, size],
      [size - 1, 2],
      [0.5, 1],
      [0, 0.5],
      [Number.NaN, 1],
      [0, Number.NaN],
      [2 ** 32, 1],
      [0, 2 ** 32],
      [2 ** 31 - 1, 2 ** 31 - 1],
      [Number.POSITIVE_INFINITY, 1]
    ]
    for (const [offset, length] of wrong) {
      assert.throws(() => input.address(offset, length), RangeError, undefined, `${length} at ${offset}`)
    }
  })

  it("has regions that share no byte", () => {
    const { memory } = make()
    const { input, output, events, address, scratch } = memory
    const regions = [input, output, events, address, scratch]
    for (const [index, region] of regions.entries()) region.bytes.fill(index + 1)
    for (const [index, region] of regions.entries()) {
      assert.isTrue(region.bytes.every((byte) => byte === index + 1))
    }
    assert.isTrue(memory.isIntact())
  })

  it("shows a write between two regions", () => {
    const { memory, bytes } = make()
    const at = memory.input.address(memory.input.size, 0) - 0x10000
    bytes[at] = 0
    assert.isFalse(memory.isIntact())
  })
})
