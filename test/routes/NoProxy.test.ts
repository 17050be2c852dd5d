import { assert, describe, it } from "@effect/vitest"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as NoProxy from "../../src/routes/NoProxy.ts"

const ip = NetAddress.ipFromStringUnsafe

const includes = (pattern: string, host: string, address = "203.0.113.1", port = 80) => {
  const target = { host: /^[\d.]+$/.test(host) ? ip(host) : (host as never), port }
  return NoProxy.includes([Option.getOrThrow(NoProxy.fromString(pattern))], target, ip(address))
}

describe("targets that need no upstream", () => {
  it("are a name and the names below it, or these only", () => {
    assert.isTrue(includes("corp.example", "corp.example"))
    assert.isTrue(includes("corp.example", "a.b.corp.example"))
    assert.isFalse(includes("corp.example", "notcorp.example"))
    assert.isFalse(includes(".corp.example", "corp.example"))
    assert.isTrue(includes(".corp.example", "a.corp.example"))
    assert.isTrue(includes("*.corp.example", "a.corp.example"))
  })

  it("are the addresses of a network, whatever name leads to them", () => {
    assert.isTrue(includes("10.0.0.0/8", "db.example", "10.1.2.3"))
    assert.isTrue(includes("10.1.2.3", "10.1.2.3", "10.1.2.3"))
    assert.isFalse(includes("10.0.0.0/8", "db.example", "11.1.2.3"))
  })

  it("are those at a port, or all", () => {
    assert.isTrue(includes("corp.example:80", "a.corp.example"))
    assert.isFalse(includes("corp.example:81", "a.corp.example"))
    assert.isTrue(includes("*", "any.example"))
  })

  it("are refused if they are written otherwise", () => {
    for (const text of ["", "http://corp.example", "corp.example/8", "a b", "..example"]) {
      assert.isTrue(Option.isNone(NoProxy.fromString(text)), text)
    }
  })
})
