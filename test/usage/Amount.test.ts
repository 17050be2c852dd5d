/**
 * The keys of accounts, as the store has them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Amount from "../../src/usage/Amount.ts"

describe("Amount", () => {
  it.each([
    ["user alice", { kind: "user", name: "alice" }],
    ["user a b", { kind: "user", name: "a b" }],
    ["user anonymous", { kind: "user", name: "anonymous" }],
    ["rule to mail", { kind: "rule", name: "to mail" }],
    ["anonymous", { kind: "anonymous", name: "" }]
  ])("splits the key %s, and makes it again", (key, split) => {
    assert.deepStrictEqual(Amount.fromKey(key), split as never)
    assert.strictEqual(Amount.toKey(split.kind, split.name), key)
  })

  it("leaves no name that a database would refuse", () => {
    assert.strictEqual(Amount.fromKey("user a\0b\ud800c\udc00d🙂").name, "a\ufffdb\ufffdc\ufffdd🙂")
  })
})
