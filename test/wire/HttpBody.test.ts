/**
 * Bodies end where their framing says, however their bytes are split.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as HttpBody from "../../src/wire/HttpBody.ts"
import * as HttpFraming from "../../src/wire/HttpFraming.ts"
import { holds } from "../support/property.ts"

/** Reads a body from bytes that come in pieces of these sizes. What was not taken comes again with the next piece. */
const read = (framing: HttpFraming.Framing, text: string, sizes: ReadonlyArray<number> = []) => {
  const reader = HttpBody.make(framing)
  const pieces: Array<Uint8Array> = []
  let waiting = Buffer.alloc(0)
  let at = 0
  for (const size of [...sizes, text.length]) {
    waiting = Buffer.concat([waiting, Buffer.from(text.slice(at, at + size), "latin1")])
    at += size
    for (let taken = 1; taken > 0 && waiting.length > 0; ) {
      taken = reader.take(waiting, pieces)
      waiting = waiting.subarray(taken)
    }
  }
  return {
    body: Buffer.concat(pieces).toString("latin1"),
    rest: waiting.toString("latin1"),
    isEnd: reader.isEnd,
    problem: reader.problem,
    trailers: reader.trailers
  }
}

const chunked = (text: string, sizes?: ReadonlyArray<number>) => read(HttpFraming.chunked, text, sizes)

describe("a body", () => {
  it("of a known length leaves the bytes behind it", () => {
    const { body, rest, isEnd } = read({ _tag: "Length", length: 5 }, "helloGET ", [2, 1])
    assert.deepStrictEqual([body, rest, isEnd], ["hello", "GET ", true])
    assert.isTrue(HttpBody.make({ _tag: "Length", length: 0 }).isEnd)
    assert.strictEqual(read(HttpFraming.none, "GET ").rest, "GET ")
  })

  it("without a length takes all bytes", () => {
    assert.deepInclude(read(HttpFraming.close, "hello", [1]), { body: "hello", rest: "", isEnd: false })
  })

  it("in chunks is the same however it is split, and leaves the bytes behind it", () => {
    holds(
      fc.property(
        fc.array(fc.string({ minLength: 1, maxLength: 40, unit: "binary-ascii" }), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 30 }),
        (chunks, sizes) => {
          const text = chunks.map((chunk) => `${chunk.length.toString(16)};x=y\r\n${chunk}\r\n`).join("")
          assert.deepStrictEqual(chunked(`${text}0\r\nSum: 1\r\n\r\nGET `, sizes), {
            body: chunks.join(""),
            rest: "GET ",
            isEnd: true,
            problem: undefined,
            trailers: [["Sum", "1"]]
          })
        }
      )
    )
  })

  for (const [text, problem] of [
    ["zz\r\n", "a chunk size that is no number"],
    ["-1\r\n", "a chunk size that is no number"],
    ["0x5\r\n", "a chunk size that is no number"],
    ["5 \r\n", "a chunk size that is no number"],
    ["5\n", "a chunk size that is no number"],
    ["5;a\rb\r\n", "a chunk size that is no number"],
    ["fffffffffffff\r\n", "a chunk size that is no number"],
    ["5".repeat(2000), "a chunk size that is too long"],
    [`1;${"x".repeat(1000)}\r\na\r\n`.repeat(20), "too many chunk extensions"],
    ["5\r\nhello!", "a chunk that is longer than its size"],
    ["5\r\nhello\n", "a chunk that is longer than its size"],
    ["0\r\nno field\r\n\r\n", 'a line without a colon: "no field"'],
    ["0\r\nA : b\r\n\r\n", 'not a field name: "A "'],
    [`0\r\n${"a:\r\n".repeat(200)}`, "trailers that are too large"]
  ] as const) {
    it(`in chunks is malformed: ${JSON.stringify(text.slice(0, 20))}`, () => {
      const { problem: found, isEnd } = chunked(text)
      assert.deepStrictEqual([found, isEnd], [problem, false])
    })
  }
})
