/**
 * Heads are cut and counted alike, in however many pieces they come.
 */
import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { HttpLines } from "../../src/wire/HttpLines.ts"

const bytes = (text: string) => Buffer.from(text, "latin1")

/** What is cut from these pieces: each piece up to its empty lines, or why not. */
const cuts = (fieldLimit: number, pieces: ReadonlyArray<string>): ReadonlyArray<string> | "too many" => {
  const lines = new HttpLines(fieldLimit)
  const cut: Array<string> = []
  let head = ""
  for (const piece of pieces) {
    for (let rest = piece; rest !== ""; ) {
      const size = lines.cut(bytes(rest))
      if (size === undefined) return "too many"
      head += rest.slice(0, size)
      rest = rest.slice(size)
      if (!/\n\r?\n$/.test(head)) continue
      cut.push(head)
      head = ""
      lines.reset()
    }
  }
  return head === "" ? cut : [...cut, head]
}

const head = (fields: number, end = "\r\n") => `GET / HTTP/1.1${end}${`a: b${end}`.repeat(fields)}${end}`

describe("HttpLines", () => {
  it("cuts behind each head, whatever ends its lines", () => {
    assert.deepStrictEqual(cuts(3, [head(2) + head(3) + head(0, "\n")]), [head(2), head(3), head(0, "\n")])
    assert.deepStrictEqual(cuts(3, [`${head(2)}GET`]), [head(2), "GET"])
  })

  it("finds too many lines before the head has ended, empty ones among them", () => {
    assert.deepStrictEqual(cuts(3, [head(3)]), [head(3)])
    assert.strictEqual(cuts(3, [head(4)]), "too many")
    assert.strictEqual(cuts(3, ["a\r\n".repeat(6)]), "too many")
    assert.strictEqual(new HttpLines(3).cut(bytes("a\r\n".repeat(6))), undefined)
    const lines = new HttpLines(3)
    const sizes = Array.from({ length: 6 }, () => lines.cut(bytes("\r\n")))
    assert.deepStrictEqual(sizes, [2, 2, 2, 2, 2, undefined])
  })

  it("does so however the bytes are split", () => {
    const text = head(2) + head(3, "\n") + head(1)
    const whole = cuts(3, [text])
    assert.strictEqual(whole.length, 3)
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 60 }), (sizes) => {
        const pieces: Array<string> = []
        let at = 0
        for (const size of sizes) {
          pieces.push(text.slice(at, at + size))
          at += size
        }
        assert.deepStrictEqual(cuts(3, [...pieces, text.slice(at)]), whole)
      })
    )
  })
})
