import { assert, describe, it } from "@effect/vitest"
import { to } from "../../../src/config/conditions/Targets.ts"
import { written } from "../../support/conditions.ts"

const { holds, includes, isRead, quickly } = written(to)

describe("a condition on targets", () => {
  it("is the same by the quick way", () => {
    for (const text of [
      "example.com",
      "*.example.com:443",
      "**",
      "*",
      "10.0.0.0/8:80-90",
      "[fd00::/8]:443"
    ]) {
      assert.strictEqual(quickly(text), text)
    }
    for (const wrong of ["", "10.0.0.1/8", "*.com.*", "example.com:http"]) {
      assert.isFalse(isRead(wrong), wrong)
      assert.strictEqual(quickly(wrong), undefined)
    }
  })

  for (const [pattern, target, addresses, expected] of [
    ["example.com", "example.com:443", [], true],
    ["example.com", "www.example.com:443", [], false],
    ["example.com:80", "example.com:443", [], false],
    ["*.example.com", "a.b.example.com:443", [], true],
    ["*.example.com", "example.com:443", [], false],
    ["**", "example.com:443", ["10.0.0.1"], true],
    ["**", "10.0.0.1:443", ["10.0.0.1"], false],
    ["*", "10.0.0.1:443", [], true],
    ["10.0.0.0/8", "example.com:443", [], "maybe"],
    ["10.0.0.0/8", "example.com:443", ["10.0.0.1"], true],
    ["10.0.0.0/8", "example.com:443", ["11.0.0.1", "::1"], false],
    ["*", undefined, [], true],
    ["*:443", undefined, [], "maybe"],
    ["example.com", undefined, [], "maybe"]
  ] as const) {
    it(`${pattern} for ${target}, at ${addresses.join() || "no address yet"}: ${expected}`, () => {
      assert.strictEqual(holds(pattern, { to: target }, { addresses }), expected)
    })
  }

  for (const [one, other, expected] of [
    ["*", "10.0.0.0/8", true],
    ["*", "**", true],
    ["**", "*", false],
    ["**", "*.example.com", true],
    ["*.example.com", "*.a.example.com", true],
    ["*.example.com", "*.example.com", true],
    ["*.a.example.com", "*.example.com", false],
    ["a.example.com", "*.example.com", false],
    ["*.example.com", "a.example.com", true],
    ["*.example.com", "example.com", false],
    ["10.0.0.0/8", "10.1.0.0/16", true],
    ["10.1.0.0/16", "10.0.0.0/8", false],
    ["**", "10.0.0.0/8", false],
    ["*:443", "example.com", false],
    ["*:400-500", "example.com:443", true]
  ] as const) {
    it(`${one} ${expected ? "includes" : "does not include"} ${other}`, () => {
      assert.strictEqual(includes(one, other), expected)
    })
  }
})
