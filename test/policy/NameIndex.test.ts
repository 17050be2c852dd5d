/**
 * That names are found by their labels as they are by comparing texts.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as NameIndex from "../../src/policy/NameIndex.ts"

const found = (keys: ReadonlyArray<NameIndex.Key>, name: string) => {
  const positions: Array<number> = []
  NameIndex.make(keys).match(name, positions)
  return positions
}

const name = fc
  .array(fc.constantFrom("a", "b", "aa", "ab", "example"), { minLength: 1, maxLength: 4 })
  .map((labels) => labels.join("."))

const keys = fc.uniqueArray(
  fc.oneof(fc.record({ name, below: fc.boolean() }), fc.constant<NameIndex.Key>({ name: "", below: true })),
  { selector: ({ name, below }) => `${name} ${below}`, maxLength: 30 }
)

describe("NameIndex", () => {
  it("finds what a look at every key finds", () => {
    fc.assert(
      fc.property(keys, name, (keys, name) => {
        const expected = keys.flatMap((key, position) =>
          (key.below ? `.${name}`.endsWith(`.${key.name}`) && name !== key.name : name === key.name)
            ? [position]
            : key.name === ""
              ? [position]
              : []
        )
        assert.deepStrictEqual(
          found(keys, name).sort((a, b) => a - b),
          expected
        )
      }),
      { numRuns: 1000 }
    )
  })

  it.each([
    ["a.example", [0, 1, 2]],
    ["b.a.example", [0, 1]],
    ["example", [0, 3]],
    ["nexample", [0]],
    ["a.example.org", [0]]
  ])("finds of %s: %j", (name, expected) => {
    const keys = [
      { name: "", below: true },
      { name: "example", below: true },
      { name: "a.example", below: false },
      { name: "example", below: false },
      { name: "c.a.example", below: true }
    ]
    assert.deepStrictEqual(found(keys, name), expected)
  })

  it("finds one of many names, the longest there are among them", () => {
    const long = (i: number) => `${`${"x".repeat(62)}.`.repeat(3)}${String(i).padStart(60, "0")}a`
    const keys = Array.from({ length: 20_000 }, (_, i) => ({
      name: i % 2 === 0 ? long(i) : `host${i}.zone${i % 97}.example`,
      below: false
    }))
    const { match } = NameIndex.make(keys)
    for (const [position, { name }] of keys.entries()) {
      const positions: Array<number> = []
      match(name, positions)
      match(`x${name}`, positions)
      assert.deepStrictEqual(positions, [position])
    }
  })

  it("finds nothing among nothing", () => {
    assert.deepStrictEqual(found([], "example"), [])
  })
})
