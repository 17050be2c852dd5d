/**
 * The heads of HTTP/2 requests, as those of HTTP/1.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import * as Http from "../../src/wire/Http.ts"
import * as Http2 from "../../src/wire/Http2.ts"
import * as HttpHead from "../../src/wire/HttpHead.ts"
import { holds } from "../support/property.ts"

const pseudo = {
  ":method": "GET",
  ":scheme": "http",
  ":authority": "target.example",
  ":path": "/a"
}

const lines = (changes: Readonly<Record<string, string | undefined>>, ...fields: ReadonlyArray<string>) => [
  ...Object.entries({ ...pseudo, ...changes }).flatMap(([name, value]) =>
    value === undefined ? [] : [name, value]
  ),
  ...fields
]

const outcome = (raw: ReadonlyArray<string>, hasBody = false) =>
  Result.match(Http2.request(raw, hasBody), {
    onFailure: (error) => ("reason" in error ? error.reason : error._tag),
    onSuccess: ({ method, target, fields }) => [
      method,
      target,
      ...fields.map(([name, value]) => `${name}: ${value}`)
    ]
  })

const connect = {
  ":method": "CONNECT",
  ":scheme": undefined,
  ":path": undefined,
  ":authority": "a.example:443"
}

describe("request", () => {
  it("has the target in one piece, and the fields of HTTP/1", () => {
    assert.deepStrictEqual(outcome(lines({})), ["GET", "http://target.example/a"])
    assert.deepStrictEqual(outcome(lines(connect), true), ["CONNECT", "a.example:443"])
    assert.deepStrictEqual(outcome(lines({ ":method": "OPTIONS", ":path": "*" })), [
      "OPTIONS",
      "http://target.example"
    ])
    assert.deepStrictEqual(outcome(lines({}, "cookie", "a=1", "x", "1", "cookie", "b=2"), true), [
      "GET",
      "http://target.example/a",
      "x: 1",
      "cookie: a=1; b=2",
      "transfer-encoding: chunked"
    ])
    assert.deepStrictEqual(outcome(lines({}, "content-length", "3"), true), [
      "GET",
      "http://target.example/a",
      "content-length: 3"
    ])
  })

  it("drops a Host with the same name, and refuses another", () => {
    for (const host of ["target.example", "TARGET.example:80", "target.example:"]) {
      assert.deepStrictEqual(outcome(lines({}, "host", host)), ["GET", "http://target.example/a"])
    }
    assert.deepStrictEqual(outcome(lines(connect, "host", "a.example")), ["CONNECT", "a.example:443"])
    assert.strictEqual(outcome(lines({}, "host", "target.example:81")), "Host and :authority differ")
    assert.strictEqual(
      outcome(lines({}, "host", "x", "host", "target.example")),
      "Host and :authority differ"
    )
  })

  for (const [what, raw] of Object.entries({
    "no :method": lines({ ":method": undefined }),
    "no :authority": lines({ ":authority": "a.example/b" }),
    "no :scheme or no :path": lines({ ":path": undefined }),
    "CONNECT with :scheme or :path": lines({ ...connect, ":path": "/" }),
    "an unknown pseudo-field: :status": lines({ ":status": "200" }),
    "more than one :path": [...lines({}), ":path", "/b"],
    ":path behind a field": ["x", "1", ":path", "/b"],
    "not a field name: X-A": lines({}, "X-A", "1"),
    "a control character in x": lines({}, "x", "1\r\nY: 2"),
    "a control character in :path": lines({ ":path": "/\r\n" }),
    "a space or a control character in the target": lines({ ":path": "/ HTTP/1.1" }),
    "connection, which HTTP/2 does not have": lines({}, "connection", "close"),
    "transfer-encoding, which HTTP/2 does not have": lines({}, "transfer-encoding", "chunked"),
    "te, which HTTP/2 does not have": lines({}, "te", "gzip"),
    "Content-Length, and no body": lines({}, "content-length", "1"),
    HeadTooLarge: lines({}, ...Array.from({ length: 101 }, (_, i) => [`x${i}`, "1"]).flat())
  })) {
    it(`refuses: ${what}`, () => assert.strictEqual(outcome(raw), what))
  }

  it("is the same single request in HTTP/1, or refused", () => {
    const text = fc.string({
      unit: fc.constantFrom(
        "a",
        "/",
        ":",
        " ",
        "\r",
        "\n",
        "\0",
        "\t",
        "\u00e9",
        "@",
        "#",
        "?",
        "\\",
        "80",
        "[::1]"
      ),
      maxLength: 4
    })
    const changed = fc.dictionary(fc.constantFrom(...Object.keys(pseudo)), text)
    const raws = fc
      .tuple(changed, fc.array(text, { maxLength: 6 }))
      .map(([changes, more]) => lines(changes, ...more))
    holds(
      fc.property(raws, (raw) => {
        const read = Http2.request(raw, false)
        if (Result.isFailure(read)) return
        const { method, target, fields } = read.success
        const bytes = Buffer.from(
          HttpHead.write(`${method} ${target} HTTP/1.1`, [["Host", "x"], ...fields]),
          "latin1"
        )
        const again = HttpHead.request(bytes)
        assert.isTrue(Result.isSuccess(again), JSON.stringify(raw))
        if (Result.isFailure(again)) return
        assert.strictEqual(again.success.size, bytes.length)
        assert.strictEqual(again.success.value.target, target)
        assert.strictEqual(again.success.value.fields.length, fields.length + 1)
        const judged = Http.destination(read.success)
        if (Result.isSuccess(judged) && judged.success._tag === "Resource") {
          assert.isTrue(judged.success.path.startsWith("/"))
        }
      }),
      { numRuns: 2000 }
    )
  })
})

describe("trailers", () => {
  it("are fields, and no others", () => {
    assert.deepStrictEqual(Http2.trailers(["x", "1"]), [["x", "1"]])
    assert.strictEqual(Http2.trailers([":path", "/"]), "a pseudo-field in the trailers")
    assert.strictEqual(Http2.trailers(["x", "1\n"]), "a control character in x")
  })
})
