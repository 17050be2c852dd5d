/**
 * The names of new users.
 */
import { assert, describe, it } from "@effect/vitest"
import * as UserName from "../../src/auth/UserName.ts"

const parameters = [
  { name: "session", values: undefined },
  { name: "country", values: ["de", "fr"] }
]

const flawOf = (name: string) => UserName.flawOf(name, parameters)

describe("UserName", () => {
  it("takes names that people type", () => {
    for (const name of [
      ...["alice", "alice@example.com", "Bob B.", "CORP\\bob", "a-b-c", "42", "日本", "josé", "🦊", "…"],
      ...["a/b", "a%2Fb", "'--", "<b>", "session", "session-1", "constructor", "__proto__", "x".repeat(255)]
    ]) {
      assert.isUndefined(flawOf(name), name)
    }
  })

  it.each([
    ["", "1 to 255 bytes"],
    ["x".repeat(256), "1 to 255 bytes"],
    ["é".repeat(128), "1 to 255 bytes"],
    ["\ud800", "1 to 255 bytes"],
    ["a:b", "colon"],
    ["alice\nmallory", "not seen"],
    ["alice\r", "not seen"],
    ["alice\0", "not seen"],
    ["ali\u200bce", "not seen"],
    ["\u202eecila", "not seen"],
    ["\ufeffalice", "not seen"],
    ["alice\u00a0", "not seen"],
    ["alice\u2028", "not seen"],
    ["\x1b[31malice", "not seen"],
    ["jose\u0301", "form C"],
    ["\u212bngstr\u00f6m", "form C"],
    [" alice", "begin with a space"],
    ["alice ", "end with a space"],
    ["#alice", "begin with a space or #"],
    [".", "be . or .."],
    ["..", "be . or .."],
    ["alice-session-1", "another name"],
    ["alice-country-xx", "another name"],
    ["alice-session-1-more-2", "another name"]
  ])("refuses %j", (name, reason) => {
    assert.include(String(flawOf(name)), reason)
  })

  it("takes a name that looks as if it had parameters where none are declared", () => {
    assert.isUndefined(UserName.flawOf("alice-session-1", []))
  })
})
