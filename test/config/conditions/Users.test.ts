import { assert, describe, it } from "@effect/vitest"
import { users } from "../../../src/config/conditions/Users.ts"
import { printable } from "../../../src/wire/Text.ts"
import { written } from "../../support/conditions.ts"

const { holds, isRead, quickly } = written(users)

describe("a condition on users", () => {
  it("holds for this user only, and for no client without a user", () => {
    assert.isTrue(holds("alice", { user: "alice" }))
    assert.isFalse(holds("alice", { user: "Alice" }))
    assert.isFalse(holds("alice", {}))
  })

  it("holds for a name in its printable form, as identities have it", () => {
    assert.isTrue(holds("al\u001bice", { user: "al\\u{1b}ice" }))
  })

  it("distinguishes a name from its printable form, and long names from each other", () => {
    assert.isFalse(holds("al\\u{1b}ice", { user: printable("al\u001bice") }))
    assert.isTrue(holds("al\\u{1b}ice", { user: printable("al\\u{1b}ice") }))
    assert.isFalse(holds("a".repeat(300), { user: printable("a".repeat(301)) }))
  })

  it("is a text that is not empty, also by the quick way", () => {
    assert.isFalse(isRead(""))
    assert.deepStrictEqual(["alice", "", 5].map(quickly), ["alice", undefined, undefined])
  })
})
