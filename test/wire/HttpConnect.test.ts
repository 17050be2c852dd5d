import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as HttpConnect from "../../src/wire/HttpConnect.ts"
import { utf8 } from "../support/bytes.ts"
import { targetOf } from "../support/rules.ts"

describe("CONNECT", () => {
  it("names its target, in brackets where it is IPv6, and has the credentials", () => {
    const target = { host: NetAddress.ipFromStringUnsafe("2001:db8::1"), port: 443 }
    assert.deepStrictEqual(
      HttpConnect.request(target, { username: utf8("alice"), password: utf8("s:t") }),
      utf8(
        "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n" +
          "Proxy-Authorization: Basic YWxpY2U6czp0\r\n\r\n"
      )
    )
  })

  it("says which proxies have asked for it", () => {
    const target = targetOf("target.example:443")
    assert.deepStrictEqual(
      HttpConnect.request(target, undefined, "1.1 first, SOCKS/5 second"),
      utf8(
        "CONNECT target.example:443 HTTP/1.1\r\nHost: target.example:443\r\nVia: 1.1 first, SOCKS/5 second\r\n\r\n"
      )
    )
  })

  it("gives the error of the nearest proxy", () => {
    const type = (...lines: ReadonlyArray<string>) =>
      HttpConnect.errorType(lines.map((line) => ["Proxy-Status", line]))
    assert.strictEqual(type("far; error=dns_error, near; error=connection_refused"), "connection_refused")
    assert.strictEqual(type("far; error=dns_error", "near"), undefined)
    assert.strictEqual(
      type('near; error=http_request_denied; details="a, b; error=dns_error"'),
      "http_request_denied"
    )
    assert.strictEqual(type(), undefined)
  })
})
