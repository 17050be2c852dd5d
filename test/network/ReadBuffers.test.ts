/**
 * Which buffer a socket is read into, and what becomes of what was read.
 */
import { assert, describe, it } from "@effect/vitest"
import { ReadBuffers, readSize, type SocketBuffer } from "../../src/network/ReadBuffers.ts"

const largeSize = 256 * 1024

/** Reads that bring all that there is room for. */
const fill = (buffer: SocketBuffer, times: number) => {
  for (let i = 0; i < times; i++) buffer.fit(buffer.into.length)
}

const fast = (buffers: ReadBuffers): SocketBuffer => {
  const buffer = buffers.forSocket()
  fill(buffer, 4)
  return buffer
}

describe("ReadBuffers", () => {
  it("has all sockets read into the same memory", () => {
    const buffers = new ReadBuffers()
    const [one, other] = [buffers.forSocket(), buffers.forSocket()]
    assert.strictEqual(one.into, other.into)
    assert.lengthOf(one.into, readSize)
    one.fit(1400)
    fill(one, 3)
    one.fit(readSize - 1)
    fill(one, 3)
    assert.strictEqual(one.into, other.into)
  })

  it("gives fast sockets a buffer of their own, until they are slow again", () => {
    const buffer = fast(new ReadBuffers())
    assert.isTrue(buffer.isLarge)
    assert.lengthOf(buffer.into, largeSize)
    for (let i = 0; i < 7; i++) buffer.fit(100)
    buffer.fit(5000)
    for (let i = 0; i < 7; i++) buffer.fit(100)
    assert.isTrue(buffer.isLarge)
    buffer.fit(100)
    assert.isFalse(buffer.isLarge)
    assert.lengthOf(buffer.into, readSize)
  })

  it("gives large buffers to 64 sockets only, and released ones to others", () => {
    const buffers = new ReadBuffers()
    const all = Array.from({ length: 64 }, () => fast(buffers))
    assert.strictEqual(new Set(all.map(({ into }) => `${into.buffer} ${into.byteOffset}`)).size, 64)
    const late = fast(buffers)
    assert.isFalse(late.isLarge)
    fill(late, 10)
    assert.isFalse(late.isLarge)
    all[7]!.release()
    all[7]!.release()
    fill(late, 1)
    assert.isTrue(late.isLarge)
    assert.isFalse(fast(buffers).isLarge)
  })

  it("reads no more at once than its limit", () => {
    const buffers = new ReadBuffers()
    const small = buffers.forSocket()
    assert.isTrue(small.limit(1000))
    fill(small, 10)
    assert.lengthOf(small.into, 1000)
    const medium = buffers.forSocket()
    assert.isFalse(medium.limit(100_000))
    fill(medium, 4)
    assert.lengthOf(medium.into, 100_000)
    medium.release()
    assert.isTrue(fast(buffers).isLarge)
  })

  it("copies to the same block, unless the block is kept", () => {
    const buffers = new ReadBuffers()
    const buffer = buffers.forSocket()
    const first = buffer.copy(Buffer.from("first"))
    const second = buffer.copy(Buffer.from("second"))
    assert.strictEqual(String(first), "secon")
    const giveBack = buffer.keep()!
    const third = buffer.copy(Buffer.from("third"))
    assert.strictEqual(String(second), "second")
    buffer.keep()!()
    giveBack()
    buffer.copy(Buffer.from("fourth"))
    assert.strictEqual(String(second), "fourth")
    assert.strictEqual(String(third), "third")
  })

  it("keeps no block for bytes in a large buffer", () => {
    assert.isUndefined(fast(new ReadBuffers()).keep())
  })

  it("reads more at once if the bytes are used up at once, and otherwise less", () => {
    const buffer = new ReadBuffers().forSocket()
    buffer.fitWhole(100)
    assert.lengthOf(buffer.into, readSize)
    buffer.fitWhole(readSize)
    assert.isAbove(buffer.into.length, readSize)
    buffer.fit(100)
    assert.lengthOf(buffer.into, readSize)
  })
})
