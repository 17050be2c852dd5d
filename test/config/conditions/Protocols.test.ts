import { assert, describe, it } from "@effect/vitest"
import { protocols } from "../../../src/config/conditions/Protocols.ts"
import { written } from "../../support/conditions.ts"

const { holds, includes, isRead } = written(protocols)

describe("a condition on protocols", () => {
  it("has one of three values, in lower case", () => {
    for (const name of ["socks5", "socks4", "http"]) assert.isTrue(isRead(name))
    for (const wrong of ["SOCKS5", "socks", "https"]) assert.isFalse(isRead(wrong))
  })

  it("holds for this protocol only", () => {
    assert.isTrue(holds("http", { protocol: "HTTP" }))
    assert.isFalse(holds("http", { protocol: "SOCKS5" }))
    assert.isFalse(includes("socks5", "socks4"))
  })
})
