import { assert, describe, it } from "@effect/vitest"
import { commands } from "../../../src/config/conditions/Commands.ts"
import { written } from "../../support/conditions.ts"

const { holds, includes, isRead } = written(commands)

describe("a condition on commands", () => {
  it("has one of four values, in lower case", () => {
    for (const name of ["connect", "bind", "associate", "forward"]) assert.isTrue(isRead(name))
    for (const wrong of ["CONNECT", "get", "", 1]) assert.isFalse(isRead(wrong))
  })

  it("holds for this command only", () => {
    assert.isTrue(holds("bind", { command: "BIND" }))
    assert.isFalse(holds("bind", { command: "CONNECT" }))
    assert.isTrue(includes("bind", "bind"))
    assert.isFalse(includes("bind", "connect"))
  })
})
