import { assert, describe, it } from "@effect/vitest"
import { groups } from "../../../src/config/conditions/Groups.ts"
import { written } from "../../support/conditions.ts"

const { holds, isRead, quickly } = written(groups)

describe("a condition on groups", () => {
  it("holds for users in the group, and for no user without groups", () => {
    assert.isTrue(holds("staff", { user: "alice", groups: ["admin", "staff"] }))
    assert.isFalse(holds("staff", { user: "alice", groups: ["Staff"] }))
    assert.isFalse(holds("staff", { user: "staff" }))
    assert.isFalse(holds("staff", {}))
  })

  it("is a text that is not empty, also by the quick way", () => {
    assert.isFalse(isRead(""))
    assert.isFalse(isRead(5))
    assert.deepStrictEqual(["staff", "", 5].map(quickly), ["staff", undefined, undefined])
  })
})
