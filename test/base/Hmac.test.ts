import { createHmac } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Hmac from "../../src/base/Hmac.ts"
import { holds } from "../support/property.ts"

const key = Buffer.from("a key of a test").toString("base64")

const parts = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 })

describe("a keyed hash", () => {
  it("is HMAC with SHA-256 of each part behind its length, cut to 132 bits", () => {
    const expected = createHmac("sha256", "a key of a test").update("2:ab1:c").digest("base64").slice(0, 22)
    assert.strictEqual(Hmac.digest(key)(Buffer.from("ab"), Buffer.from("c")), expected)
  })

  it("differs for all lists of parts, however they are cut", () => {
    holds(
      fc.property(parts, parts, (one, other) => {
        const isSame =
          JSON.stringify(one.map((part) => [...part])) === JSON.stringify(other.map((part) => [...part]))
        const digest = Hmac.digest(key)
        assert.strictEqual(digest(...one) === digest(...other), isSame)
        assert.notStrictEqual(digest(Buffer.concat(one)), Hmac.digest(Hmac.newKey())(Buffer.concat(one)))
      })
    )
  })

  it("has another key each time", () => {
    assert.notStrictEqual(Hmac.newKey(), Hmac.newKey())
    assert.lengthOf(Buffer.from(Hmac.newKey(), "base64"), 32)
  })
})
