/**
 * That what is taken apart is the same again where it arrives.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Pieces from "../../src/workers/Pieces.ts"

const values = [
  { files: [["a", "b"]], rules: { rows: Int32Array.of(1, -1), texts: { chars: Uint16Array.of(65_535) } } },
  { none: new Int32Array(), some: new Map([[1, 2]]), list: [{ array: 0, type: "Int32Array" }] },
  // Longer than a piece, and of a part of a buffer.
  {
    long: Int32Array.from({ length: 100_000 }, (_, i) => i).subarray(1),
    bytes: new Uint8Array(300_000).fill(7)
  },
  "no object"
]

describe("arrays in pieces", () => {
  it("are put together again, one value after the other", () => {
    const pieces = Pieces.make()
    for (const value of values) {
      const sent = Pieces.apart(value)
      for (const piece of sent.pieces) {
        assert.isAtMost(piece.bytes.length, 128 * 1024)
        pieces.add(structuredClone(piece))
      }
      assert.deepStrictEqual(pieces.together(structuredClone(sent.value)), value)
    }
  })
})
