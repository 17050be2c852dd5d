/**
 * Heads of requests, which are read in one way or not at all, and heads of responses as odd servers write them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { type Decoder, isIncomplete } from "../../src/wire/Decoder.ts"
import * as HttpHead from "../../src/wire/HttpHead.ts"
import { holds } from "../support/property.ts"

const bytes = (text: string) => Buffer.from(text, "latin1")

/** The decoded head, or the reason why there is none. */
const request = (text: string) => read(HttpHead.request(bytes(text)))
const response = (text: string) => read(HttpHead.response(bytes(text)))

const read = <A>(decoded: Result.Result<{ readonly value: A; readonly size: number }, unknown>) =>
  Result.isSuccess(decoded)
    ? decoded.success.value
    : isIncomplete(decoded.failure)
      ? "incomplete"
      : String((decoded.failure as Error).message)

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/)
const value = fc
  .array(fc.constantFrom(...'aZ09,;="\t \x80\xa0\xe9\xff'), { maxLength: 20 })
  .map((characters) => characters.join("").replace(/^[\t ]+|[\t ]+$/g, ""))
const fields = fc.array(fc.tuple(token, value), { maxLength: 20 })

describe("a head", () => {
  it("is read as it was written, also bytes above 0x7f", () => {
    holds(
      fc.property(token, fields, (method, fields) => {
        const text = HttpHead.write(`${method} http://host/\xe9 HTTP/1.1`, fields)
        assert.deepStrictEqual(request(text), { method, target: "http://host/\xe9", version: "1.1", fields })
        const answer = HttpHead.write("HTTP/1.0 418 I\x27m \xe9", fields)
        assert.deepStrictEqual(response(answer), { status: 418, reason: "I'm \xe9", version: "1.0", fields })
        const trailers = HttpHead.trailers(bytes(HttpHead.write("0", fields)).subarray(3))
        assert.deepStrictEqual(Result.getOrThrow(trailers).value, fields)
      })
    )
  })

  it("is incomplete until its last byte, and needs no byte behind it", () => {
    for (const [decode, text] of [
      [HttpHead.request as Decoder<unknown, unknown>, "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"],
      [HttpHead.response as Decoder<unknown, unknown>, "HTTP/1.1 200 OK\r\nA: b\r\n\r\n"]
    ] as const) {
      for (let end = 0; end < text.length; end++) {
        const decoded = decode(bytes(text.slice(0, end)))
        assert.isTrue(Result.isFailure(decoded) && isIncomplete(decoded.failure), `${end} bytes`)
      }
      assert.strictEqual(Result.getOrThrow(decode(bytes(`${text}more`))).size, text.length)
    }
  })

  it("of a request is refused by a field, and by its first line alone", () => {
    const field = (line: string) => request(`GET http://a/ HTTP/1.1\r\n${line}\r\n\r\n`)
    assert.strictEqual(field("Host : a"), 'malformed request: not a field name: "Host "')
    assert.strictEqual(field("A: b\r\n c"), 'malformed request: a line without a colon: " c"')
    assert.strictEqual(field("A: b\nC: d"), "malformed request: the line of A ends without CR")
    assert.strictEqual(field("A: b\rC: d"), "malformed request: a control character in A")
    assert.strictEqual(field("A: b\0"), "malformed request: a control character in A")
    for (const line of [
      "GET http://a/",
      "GET  http://a/ HTTP/1.1",
      "GET a b HTTP/1.1",
      "G(T a HTTP/1.1",
      "EHLO"
    ]) {
      assert.strictEqual(
        request(`${line}\r\n`),
        "malformed request: the request line is not METHOD TARGET HTTP/1.1"
      )
    }
    assert.strictEqual(request("GET http://a/ HTTP/1.1\n"), request("EHLO\r\n"))
  })

  it("of a response may have bare LFs, folds, spaces before colons and no reason", () => {
    assert.deepStrictEqual(response("HTTP/1.1 200\nA : b\n  c\nD:e\n\n"), {
      status: 200,
      reason: "",
      version: "1.1",
      fields: [
        ["A", "b c"],
        ["D", "e"]
      ]
    })
    for (const [text, reason] of [
      ["HTTP/1.1 200 OK\r\n A: b\r\n\r\n", "a space before the first field"],
      ["HTTP/1.1 200 OK\r\nno field\r\n\r\n", 'a line without a colon: "no field"'],
      ["HTTP/1.1 200 OK\r\nA: b\r\n \0\r\n\r\n", "a control character in A"],
      ["HTTP/2.0 200 OK\r\n", "the status line is none of HTTP/1"],
      ["ICY 200 OK\r\n", "the status line is none of HTTP/1"],
      ["<html>\n", "the status line is none of HTTP/1"]
    ] as const) {
      assert.strictEqual(response(text), `bad response: ${reason}`)
    }
  })

  it("has no more fields and bytes than its limits, complete or not", () => {
    const lines = (count: number) => `GET http://a/ HTTP/1.1\r\n${"a:\r\n".repeat(count)}`
    assert.isObject(request(`${lines(HttpHead.requestFields)}\r\n`))
    for (const text of [
      `${lines(HttpHead.requestFields + 1)}\r\n`,
      lines(HttpHead.requestFields + 2),
      "x".repeat(HttpHead.sizeLimit + 1)
    ]) {
      assert.strictEqual(request(text), "head too large")
    }
    const start = "GET http://a/ HTTP/1.1\r\nA: "
    const exact = `${start}${"x".repeat(HttpHead.sizeLimit - start.length - 4)}\r\n\r\n`
    assert.isObject(request(exact))
    assert.strictEqual(request(`${exact.slice(0, -4)}x\r\n\r\n`), "head too large")
  })
})
