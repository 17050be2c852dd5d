/**
 * Bodies in pieces of which none has bytes of the request behind it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as BodyPieces from "../../src/network/BodyPieces.ts"
import type { Fields } from "../../src/wire/Http.ts"
import { cut } from "../support/bytes.ts"

const next = "GET / HTTP/1.1\r\n\r\n"

/** The pieces of what arrives in these parts. */
const piecesOf = (fields: Fields, parts: ReadonlyArray<ReadonlyArray<number>>) => {
  const pieces = BodyPieces.of(fields)
  return parts.flatMap((part) => {
    const found: Array<string> = []
    for (let rest = Buffer.from(part); rest.length > 0; ) {
      const size = pieces.next(rest)
      assert.isAtLeast(size, 1)
      found.push(rest.subarray(0, size).toString("latin1"))
      rest = rest.subarray(size)
    }
    return found
  })
}

const inParts = (text: string) => cut([...Buffer.from(text, "latin1")])

describe("pieces of a body", () => {
  const body = "0123456789"

  it("of a known length end at that length", () => {
    fc.assert(
      fc.property(inParts(body + next), (parts) => {
        let passed = 0
        for (const piece of piecesOf([["Content-Length", "10"]], parts)) {
          const before = passed
          passed += piece.length
          assert.isTrue(before >= 10 || passed <= 10)
        }
        assert.strictEqual(passed, body.length + next.length)
      })
    )
  })

  const chunked = "4\r\n\r\n\r\n\r\n3;a=b\r\nabc\r\n0\r\nTrailer: x\r\n\r\n"

  it("in chunks end at each empty line, or hardly behind it where that was split", () => {
    fc.assert(
      fc.property(inParts(chunked + next), (parts) => {
        let passed = 0
        for (const piece of piecesOf([["Transfer-Encoding", "chunked"]], parts)) {
          const before = passed
          passed += piece.length
          // Two bytes of the next at most, which are no request.
          if (before < chunked.length) assert.isAtMost(passed, chunked.length + 2)
        }
        assert.strictEqual(passed, chunked.length + next.length)
      })
    )
  })
})
