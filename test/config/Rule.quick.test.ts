/**
 * Rules that are read fast are read as their schema reads them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import * as Rule from "../../src/config/Rule.ts"
import * as TargetPattern from "../../src/config/TargetPattern.ts"
import { holds } from "../support/property.ts"

const decode = Schema.decodeUnknownOption(Rule.schema, { onExcessProperty: "error" })

const value = fc.oneof(
  fc.constantFrom<unknown>(true, false, null, "", "x", "staff", 443, 0, 70_000, 1.5, "443", "8000-8999"),
  fc.constantFrom<unknown>(
    "a.example",
    "*.a.example",
    "*",
    "**",
    "10.0.0.0/8",
    "10.0.0.1/8",
    "a.example:443"
  ),
  fc.constantFrom<unknown>("A.Example", "xn--a", "a_b", "-a", "1.2.3", "a..b", "a.", "[::1]:80", "a--b"),
  fc.constantFrom<unknown>([], {}, [[]])
)

const rule = fc.dictionary(
  fc.constantFrom(..."name allow deny users groups to ports route timezone commands nonsense".split(" ")),
  fc.oneof(value, fc.constant(true), fc.array(value, { maxLength: 3 })),
  { maxKeys: 4 }
)

const label = fc.string({ unit: fc.constantFrom(..."ab01-_.*:/[]AÄ".split("")), maxLength: 12 })

describe("a rule of a long list", () => {
  it("is read by the quick way", () => {
    for (const rule of [
      { name: "x", deny: true, to: "h1.example.com" },
      { allow: true, users: ["a", "b"], groups: "staff", to: ["*.example.com", "10.0.0.0/8"], ports: 443 },
      { deny: "a reason" }
    ]) {
      assert.deepStrictEqual<unknown>(Option.some(Rule.quick(rule)), decode(rule))
    }
  })

  it("has the same value as by the schema, which reads malformed rules", () => {
    holds(
      fc.property(rule, (written) => {
        const quick = Rule.quick(written)
        if (quick !== undefined) assert.deepStrictEqual<unknown>(Option.some(quick), decode(written))
      }),
      { numRuns: 1000 }
    )
  })

  it("has the same names as by the slow way", () => {
    holds(
      fc.property(label, (text) => {
        // Upper case is what the fast way leaves alone.
        const closely = TargetPattern.fromString(text.toUpperCase())
        const pattern = TargetPattern.fromString(text)
        if (!text.includes("Ä")) assert.deepStrictEqual(pattern, closely)
      }),
      { numRuns: 1000 }
    )
  })
})
