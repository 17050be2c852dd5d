/**
 * Users by name, and passwords as fields that all compare alike.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import * as Users from "../../src/auth/Users.ts"
import { utf8 } from "../support/bytes.ts"
import { holds } from "../support/property.ts"

const user = (name: string, password?: string) => ({
  name,
  ...(password && { password: Redacted.make(password) })
})

describe("a directory of users", () => {
  it("finds users by the bytes of their names", () => {
    const name = fc.string({
      minLength: 1,
      maxLength: 4,
      unit: fc.constantFrom("a", "b", "\0", "é", "€", "😀")
    })
    holds(
      fc.property(fc.uniqueArray(name, { maxLength: 8 }), name, (names, other) => {
        const { find } = Users.directory(names.map((name) => user(name, "secret")))
        for (const name of names) assert.strictEqual(find(utf8(name))?.user.name, name)
        if (!names.includes(other)) assert.isUndefined(find(utf8(other)))
      })
    )
  })

  it("has the password field of a user; for other names, the field of no password", () => {
    const { find } = Users.directory([user("alice", "secret"), user("bob")])
    assert.deepStrictEqual(find(utf8("alice"))?.field, Users.field(utf8("secret")))
    assert.strictEqual(find(utf8("bob"))?.field, Users.noPassword)
  })
})

describe("a field", () => {
  it("has 256 bytes, and differs for all passwords of up to 255 bytes", () => {
    holds(
      fc.property(fc.uint8Array({ maxLength: 255 }), fc.uint8Array({ maxLength: 255 }), (one, other) => {
        assert.lengthOf(Users.field(one), 256)
        assert.strictEqual(
          Buffer.compare(Users.field(one), Users.field(other)) === 0,
          Buffer.compare(one, other) === 0
        )
      })
    )
  })

  it("differs for passwords with NUL bytes at the end", () => {
    assert.notDeepEqual(Users.field(Uint8Array.of(1)), Users.field(Uint8Array.of(1, 0)))
  })
})
