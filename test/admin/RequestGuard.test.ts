/**
 * Which requests the admin listener looks at.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as RequestGuard from "../../src/admin/RequestGuard.ts"
import { holds } from "../support/property.ts"

const check = (head: Partial<RequestGuard.Head>, names: ReadonlyArray<string> = []) =>
  RequestGuard.check(
    { method: "GET", url: "/api/sessions", rawHeaders: ["Host", "localhost"], ...head },
    (name) => names.includes(name)
  )?.status

describe("a request", () => {
  it("has a path", () => {
    for (const url of ["/", "/api/bans/10.0.0.0%2F8", "/api/sessions?user=a%20b"])
      assert.isUndefined(check({ url }))
    for (const url of ["", "api", "*", "http://localhost/api", "//localhost/api", "/a b", "/a\u00e4"]) {
      assert.strictEqual(check({ url }), 400, url)
    }
    assert.strictEqual(check({ url: `/${"a".repeat(4096)}` }), 414)
  })

  it("has a method of the API", () => {
    for (const method of ["OPTIONS", "TRACE", "CONNECT", "PROPFIND", undefined]) {
      assert.strictEqual(check({ method }), 405)
    }
  })

  it("names this server, by an address or by a name of its own", () => {
    const host = (value: string, names?: ReadonlyArray<string>) =>
      check({ rawHeaders: ["host", value] }, names)
    for (const own of ["localhost", "LOCALHOST:80", "127.0.0.1:9090", "[::1]", "[::1]:9090", "192.0.2.1"]) {
      assert.isUndefined(host(own), own)
    }
    assert.strictEqual(host("proxy.example:9090"), 421)
    assert.isUndefined(host("Proxy.Example:9090", ["proxy.example"]))
    for (const other of [
      "localhost.",
      "localhost.example",
      "127.0.0.1.example",
      "[::1",
      "a@localhost",
      "localhost:99999"
    ]) {
      assert.strictEqual(host(other), 421, other)
    }
    assert.strictEqual(check({ rawHeaders: [] }), 400)
    assert.strictEqual(check({ rawHeaders: ["Host", "localhost", "host", "localhost"] }), 400)
  })

  it("comes only from a page of this server", () => {
    const from = (...fields: ReadonlyArray<string>) =>
      check({ rawHeaders: ["Host", "localhost:9090", ...fields] })
    assert.isUndefined(from("Origin", "http://localhost:9090"))
    assert.isUndefined(from("Sec-Fetch-Site", "same-origin"))
    assert.isUndefined(from("Sec-Fetch-Site", "none"))
    for (const origin of [
      "null",
      "http://localhost",
      "http://localhost:9090.example",
      "http://127.0.0.1:9090",
      ""
    ]) {
      assert.strictEqual(from("Origin", origin), 403, origin)
    }
    for (const site of ["cross-site", "same-site"]) assert.strictEqual(from("Sec-Fetch-Site", site), 403)
    assert.strictEqual(from("Origin", "http://localhost:9090", "Origin", "http://attacker.example"), 403)
  })
})

describe("the token", () => {
  it("is taken from a bearer field", () => {
    assert.strictEqual(RequestGuard.bearerOf("Bearer abc.DEF-_~+/1="), "abc.DEF-_~+/1=")
    assert.strictEqual(RequestGuard.bearerOf("bearer abc"), "abc")
    for (const field of [
      undefined,
      "",
      "Bearer",
      "Bearer ",
      "Basic abc",
      "Bearer a b",
      "Bearer a,b",
      " Bearer a"
    ]) {
      assert.isUndefined(RequestGuard.bearerOf(field))
    }
  })

  it("must be the exact token", () => {
    holds(
      fc.property(fc.string(), fc.string(), (one, other) => {
        assert.strictEqual(RequestGuard.sameAs(one)(other), one === other)
        assert.isTrue(RequestGuard.sameAs(one)(one))
      })
    )
  })
})
