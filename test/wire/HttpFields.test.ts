/**
 * RFC 9110 §7.6: which fields a proxy passes on, and which it makes itself.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Fields, Head } from "../../src/wire/Http.ts"
import * as HttpFields from "../../src/wire/HttpFields.ts"
import { holds } from "../support/property.ts"
import { targetOf } from "../support/rules.ts"

const target = targetOf("example.com:8080")

const asked = (fields: Fields, method = "GET") =>
  HttpFields.request({ method, version: "1.1", fields } as Head, target, "me")

const passed = (fields: Fields, status: number) =>
  HttpFields.response({ status, reason: "", version: "1.1", fields }, "me")

const names = (fields: Fields) => fields.map(([name]) => name.toLowerCase())

const hopByHop = [
  ...["Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info"],
  ...["Proxy-Authorization", "Proxy-Connection", "TE", "Upgrade"]
]

describe("a request passed on", () => {
  it("has the host of its target, without the client's Host", () => {
    assert.deepStrictEqual(
      asked([
        ["host", "other.example"],
        ["Accept", "*/*"]
      ]),
      [
        ["Host", "example.com:8080"],
        ["Accept", "*/*"],
        ["Via", "1.1 me"]
      ]
    )
  })

  it("leaves out port 80", () => {
    const head = { method: "GET", version: "1.0", fields: [] } as unknown as Head
    assert.deepStrictEqual(HttpFields.request(head, targetOf("example.com:80"), "me")[0], [
      "Host",
      "example.com"
    ])
  })

  it("has a length if it may have a body, and chunks if it came in chunks", () => {
    assert.deepInclude(asked([], "POST"), ["Content-Length", "0"])
    assert.notInclude(names(asked([], "DELETE")), "content-length")
    assert.deepInclude(asked([["content-length", "5"]], "GET"), ["Content-Length", "5"])
    const chunked = asked([["transfer-encoding", "gzip, chunked"]], "POST")
    assert.deepInclude(chunked, ["Transfer-Encoding", "chunked"])
    assert.notInclude(names(chunked), "content-length")
  })

  it("loses fields for this connection only, and fields that Connection names, in any case", () => {
    holds(
      fc.property(fc.constantFrom(...hopByHop, "X-Named"), fc.func(fc.boolean()), (name, isUpper) => {
        const cased = [...name].map((c, i) => (isUpper(i) ? c.toUpperCase() : c.toLowerCase())).join("")
        const sent = asked([
          [cased, "x"],
          ["connection", "close, x-NAMED"],
          ["X-Other", "y"]
        ])
        assert.notDeepInclude(sent, [cased, "x"])
        assert.deepInclude(sent, ["X-Other", "y"])
      })
    )
  })
})

describe("a response passed on", () => {
  it("has Via, and a length unless it has no body or is in chunks", () => {
    const fields: Fields = [
      ["Content-Length", "3"],
      ["Proxy-Authenticate", "Basic"],
      ["Set-Cookie", "a=b"]
    ]
    assert.deepStrictEqual(passed(fields, 200), [
      ["Set-Cookie", "a=b"],
      ["Via", "1.1 me"],
      ["Content-Length", "3"]
    ])
    assert.notInclude(names(passed(fields, 204)), "content-length")
    const chunked: Fields = [...fields, ["Transfer-Encoding", "chunked"]]
    assert.notInclude(names(passed(chunked, 200)), "content-length")
  })
})

describe("trailers", () => {
  it("are passed on, except those of framing, routing and authentication", () => {
    const fields: Fields = [
      "Checksum",
      "Host",
      "AUTHORIZATION",
      "cookie",
      "Set-Cookie",
      "Trailer",
      "Via"
    ].map((name) => [name, "x"])
    assert.deepStrictEqual(names(HttpFields.trailers(fields)), ["checksum"])
  })
})

describe("a request that has passed this server", () => {
  for (const [via, hasPassed] of [
    ["1.1 me", true],
    ["1.0 other, HTTP/1.1 me (a comment)", true],
    ["1.1 mee", false],
    ["me 1.1", false]
  ] as const) {
    it(`is ${hasPassed ? "" : "not "}recognized by ${via}`, () => {
      assert.strictEqual(HttpFields.hasPassed(["1.0 first", via], "me"), hasPassed)
    })
  }

  it("passes on the proxies before this server, and the version in which it came", () => {
    const head = (...lines: ReadonlyArray<string>): Head => ({
      ...{ method: "CONNECT", target: "target.example:80", version: "1.1" },
      fields: lines.map((line) => ["via", line])
    })
    assert.strictEqual(HttpFields.via(head()), "1.1")
    assert.strictEqual(HttpFields.via(head("1.0 a, 2 b (c)", "SOCKS/5 d")), "1.0 a, 2 b (c), SOCKS/5 d, 1.1")
  })
})

describe("a connection that a request authenticates", () => {
  for (const [value, isAuthenticated] of [
    ["NTLM TlRMTVNTUAAB", true],
    ["negotiate\tYII=", true],
    ["Negotiate", true],
    ["Basic NTLM", false],
    ["NTLMv2 x", false]
  ] as const) {
    it(`is ${isAuthenticated ? "" : "not "}recognized by ${JSON.stringify(value)}`, () => {
      assert.strictEqual(HttpFields.authenticatesConnection([["Authorization", value]]), isAuthenticated)
    })
  }
})
