/**
 * That texts have numbers as a map would give them, and that names are found by
 * their suffixes as they are by comparing texts.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { TextTable } from "../../src/base/TextTable.ts"
import { holds } from "../support/property.ts"

const [exact, below] = [3, 4]

const name = fc
  .array(fc.constantFrom("a", "b", "aa", "ab", "example"), { minLength: 1, maxLength: 4 })
  .map((labels) => labels.join("."))

const keys = fc.uniqueArray(fc.record({ name, kind: fc.constantFrom(exact, below) }), {
  selector: ({ name, kind }) => `${name} ${kind}`,
  maxLength: 30
})

const tableOf = (keys: ReadonlyArray<{ readonly name: string; readonly kind: number }>) => {
  const table = new TextTable()
  for (const { name, kind } of keys) table.intern(kind, name)
  return table
}

const found = (table: TextTable, name: string) => {
  const numbers: Array<number> = []
  table.findName(name, exact, below, numbers)
  return numbers
}

describe("TextTable", () => {
  it("has a number for each text of a kind, and gives the text back", () => {
    const text = fc.oneof(fc.constantFrom("", "a", "b", "ab", "ba", "\u{1f600}", "\udead", "é"), fc.string())
    holds(
      fc.property(fc.array(fc.tuple(fc.nat(2), text), { maxLength: 40 }), (entries) => {
        const table = new TextTable()
        const numbers = new Map<string, number>()
        for (const [kind, text] of entries) {
          const key = `${kind} ${text}`
          const known = numbers.get(key)
          assert.strictEqual(table.find(kind, text), known ?? -1)
          const number = table.intern(kind, text)
          assert.strictEqual(number, known ?? numbers.size)
          numbers.set(key, number)
        }
        assert.strictEqual(table.size, numbers.size)
        for (const [kind, text] of entries) {
          const number = table.find(kind, text)
          assert.deepStrictEqual([table.kind(number), table.text(number)], [kind, text])
        }
      })
    )
  })

  it("has texts of any length", () => {
    const long = Array.from({ length: 20_000 }, (_, i) => String.fromCharCode(0x2000 + (i % 5000))).join("")
    const table = new TextTable()
    assert.deepStrictEqual([table.intern(0, long), table.intern(0, `${long}x`)], [0, 1])
    assert.strictEqual(table.text(1), `${long}x`)
  })

  it("finds the same keys of a name as a scan", () => {
    holds(
      fc.property(keys, name, (keys, name) => {
        const expected = keys.flatMap((key, number) =>
          (key.kind === below ? name.endsWith(`.${key.name}`) : name === key.name) ? [number] : []
        )
        assert.deepStrictEqual(
          found(tableOf(keys), name).sort((a, b) => a - b),
          expected
        )
      }),
      { numRuns: 300 }
    )
  })

  it.each([
    ["a.example", [0, 1]],
    ["b.a.example", [0]],
    ["example", [2]],
    ["nexample", []],
    ["a.example.org", []]
  ])("finds of %s: %j", (name, expected) => {
    const table = tableOf([
      { name: "example", kind: below },
      { name: "a.example", kind: exact },
      { name: "example", kind: exact },
      { name: "c.a.example", kind: below }
    ])
    assert.deepStrictEqual(found(table, name), expected)
  })

  it("finds one of many names, also the longest possible", () => {
    const long = (i: number) => `${`${"x".repeat(62)}.`.repeat(3)}${String(i).padStart(60, "0")}a`
    const names = Array.from({ length: 20_000 }, (_, i) =>
      i % 2 === 0 ? long(i) : `host${i}.zone${i % 97}.example`
    )
    const table = tableOf(names.map((name) => ({ name, kind: exact })))
    for (const [number, name] of names.entries()) {
      assert.deepStrictEqual([...found(table, name), ...found(table, `x${name}`)], [number])
    }
  })

  it("finds nothing in an empty table", () => {
    assert.deepStrictEqual(found(new TextTable(), "example"), [])
  })
})
