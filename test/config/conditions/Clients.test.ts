import { assert, describe, it } from "@effect/vitest"
import { clients } from "../../../src/config/conditions/Clients.ts"
import { written } from "../../support/conditions.ts"

const { formatted, holds, includes, isRead } = written(clients)

describe("a condition on clients", () => {
  it("is a network or an address, without a name or a port", () => {
    assert.strictEqual(formatted("10.0.0.0/8"), "10.0.0.0/8")
    assert.strictEqual(formatted("fd00::1"), "fd00::1/128")
    for (const wrong of ["10.0.0.1/8", "example.com", "10.0.0.0/8:80", "*", ""])
      assert.isFalse(isRead(wrong), wrong)
  })

  it("holds for clients in the network, and for no client of a Unix-domain socket", () => {
    assert.isTrue(holds("10.0.0.0/8", { client: "10.1.2.3" }))
    assert.isFalse(holds("10.0.0.0/8", { client: "11.0.0.0" }))
    assert.isFalse(holds("0.0.0.0/0", { client: "::1" }))
    assert.isFalse(holds("0.0.0.0/0", { client: "unix" }))
  })

  it("includes narrower networks", () => {
    assert.isTrue(includes("10.0.0.0/8", "10.1.0.0/16"))
    assert.isFalse(includes("10.1.0.0/16", "10.0.0.0/8"))
  })
})
