import { assert, describe, it } from "@effect/vitest"
import { ports } from "../../../src/config/conditions/Ports.ts"
import { written } from "../../support/conditions.ts"

const { formatted, holds, includes, isRead, quickly } = written(ports)

describe("a condition on ports", () => {
  it("is a port, as a number or a text, or a range", () => {
    assert.strictEqual(formatted(443), "443")
    assert.strictEqual(formatted("443"), "443")
    assert.strictEqual(formatted("8000-8999"), "8000-8999")
    for (const wrong of ["9-8", 65_536, "http", "", -1, 1.5]) assert.isFalse(isRead(wrong), String(wrong))
    assert.deepStrictEqual([443, "443", 65_536, 1.5].map(quickly), ["443", undefined, undefined, undefined])
  })

  it("holds from the first port to the last, and may hold while the target is not known", () => {
    const at = (port: number) => holds("80-90", { to: `example.com:${port}` })
    assert.deepStrictEqual([79, 80, 90, 91].map(at), [false, true, true, false])
    assert.strictEqual(holds("80-90", {}), "maybe")
  })

  it.each([
    ["80-90", "80-90", true],
    ["80-90", "85", true],
    ["80-90", "85-91", false],
    ["85", "80-90", false]
  ] as const)("%s includes %s: %s", (one, other, expected) => {
    assert.strictEqual(includes(one, other), expected)
  })
})
