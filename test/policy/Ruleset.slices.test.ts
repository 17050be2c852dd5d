/**
 * Very many rules are read and made ready in pieces, between which sessions go on.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as Slices from "../../src/base/Slices.ts"
import * as TargetPattern from "../../src/config/TargetPattern.ts"
import * as Yaml from "../../src/config/Yaml.ts"
import * as Explain from "../../src/policy/Explain.ts"
import * as Ruleset from "../../src/policy/Ruleset.ts"
import { access, ip } from "../support/rules.ts"

const count = 20_000

/** How often others may have a turn while it is done. */
const turns = (work: Slices.Work<unknown>): number => {
  let turns = 0
  while (!work.next().done) turns++
  return turns
}

/** A turn for each of so many items, in each of so many passes over them. */
const atLeast = (passes: number, piece: number) => (passes * count) / piece - passes

const numbers = Array.from({ length: count }, (_, i) => i)
const name = (i: number) => Option.getOrThrow(TargetPattern.fromString(`h${i}.example.com`))
const network = (i: number) => Option.getOrThrow(TargetPattern.fromString(`10.${i >> 8}.${i & 255}.0/24`))

describe("steps of long work", () => {
  it("let other fibers run while a file of many rules is read", () => {
    const text = `rules:\n${numbers.map((i) => `  - { name: r${i}, deny: true, to: h${i}.example.com }`).join("\n")}\n`
    assert.isAtLeast(turns(Yaml.parsePlain(text, Option.none)), atLeast(4, 200))
  })

  // Symbols, their indexes, three times for clauses, groups; of one rule the first two.
  for (const [what, target] of [
    ["names", name],
    ["networks", network]
  ] as const) {
    it(`let other fibers run while many rules of ${what} are compiled`, () => {
      const rules = numbers.map((i) => ({ deny: true as const, to: [target(i)] }))
      assert.isAtLeast(turns(Ruleset.build(rules)), atLeast(6, 256))
    })

    it(`let other fibers run while many rules of ${what} are explained`, () => {
      const rules = numbers.map((i) => ({ deny: true as const, to: [target(i)] }))
      const explainer = Slices.runSync(Explain.make(rules, 20))
      const asked = access({ to: "a.example:443" })
      assert.isAtLeast(turns(explainer(asked, undefined, 0)), atLeast(1, 64))
      assert.isAtLeast(turns(explainer(asked, ip("192.0.2.1"), 0)), atLeast(1, 64))
    })

    it(`let other fibers run while a rule of many ${what} is compiled`, () => {
      const rules = [{ deny: true as const, to: numbers.map(target) }]
      assert.isAtLeast(turns(Ruleset.build(rules)), atLeast(2, 256))
    })
  }
})
