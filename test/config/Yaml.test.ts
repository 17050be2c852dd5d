/**
 * YAML and JSON as values with their places, and everything that cannot be read.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as fc from "fast-check"
import * as Yaml from "../../src/config/Yaml.ts"
import { holds } from "../support/property.ts"

const variables: Readonly<Record<string, string>> = {
  NAME: "value",
  EMPTY: "",
  COUNT: "5",
  INJECTION: "a: b\n- c"
}

const parse = (text: string) =>
  Effect.runPromise(Yaml.parse(text, (name) => Option.fromUndefinedOr(variables[name])))

const value = async (text: string) => {
  const { written, errors } = await parse(text)
  assert.deepStrictEqual(errors, [])
  return written?.value
}

/** `LINE:COLUMN: REASON`, each. */
const errors = async (text: string) =>
  (await parse(text)).errors.map(({ line, column, reason }) => `${line}:${column}: ${reason}`)

/** Of all characters, halves of pairs among them; the generator's own takes a second to make. */
const anything = fc.string({
  unit: fc
    .oneof(fc.integer({ max: 0xff, min: 0 }), fc.integer({ max: 0x10ffff, min: 0 }))
    .map((code) => String.fromCodePoint(code))
})

describe("a value", () => {
  it.each<[text: string, expected: unknown]>([
    ["500", 500],
    ["-1.5", -1.5],
    ["0600", "0600"],
    ["0x1f", "0x1f"],
    ["1e3", "1e3"],
    ["1.0", "1.0"],
    ["1_000", "1_000"],
    [".inf", ".inf"],
    ["true", true],
    ["True", "True"],
    ["yes", "yes"],
    ["null", null],
    ["~", null],
    ["", null],
    ['"500"', "500"],
    ["'true'", "true"],
    ['""', ""],
    ["!!str 500", "500"],
    ["2026-11-22", "2026-11-22"],
    ["12:30:45", "12:30:45"],
    ["|\n  two\n  lines\n", "two\nlines\n"],
    ["[a, 1, [b]]", ["a", 1, ["b"]]],
    ["{b: c, d: }", { b: "c", d: null }]
  ])("is as it is written: %j", async (text, expected) => {
    assert.deepStrictEqual(await value(`a: ${text}`), { a: expected })
  })

  it("is the same in JSON", async () => {
    await holds(
      fc.asyncProperty(
        fc.dictionary(anything, fc.jsonValue({ maxDepth: 3, depthSize: "small" }), {
          maxKeys: 5
        }),
        fc.constantFrom(undefined, 2, "\t"),
        async (json, space) => {
          const text = JSON.stringify(json, null, space)
          fc.pre(!text.includes(`\${`))
          assert.deepStrictEqual(await value(text), JSON.parse(JSON.stringify(json)))
        }
      ),
      { numRuns: 30 }
    )
  })

  it("knows its line and column, and its key's", async () => {
    const { written } = await parse("# first\na:\n  - x\n  - b: 5\n    c: |\n      text\nd:\n")
    const a = written?.children.get("a")
    const b = a?.children.get(1)?.children.get("b")
    assert.deepStrictEqual(a?.key, { line: 2, column: 1 })
    assert.deepStrictEqual(a?.at, { line: 3, column: 3 })
    assert.deepStrictEqual(b?.key, { line: 4, column: 5 })
    assert.deepStrictEqual(b?.at, { line: 4, column: 8 })
    // Where there is no value, its key is.
    assert.deepStrictEqual(written?.children.get("d")?.at, { line: 7, column: 1 })
  })

  it("can be an alias, and a map can merge others", async () => {
    const text = "a: &x {k: 1, l: 2}\nb: *x\nc: {<<: *x, k: 3}\nd: {<<: [{m: 4}, *x]}"
    assert.deepStrictEqual(await value(text), {
      a: { k: 1, l: 2 },
      b: { k: 1, l: 2 },
      c: { k: 3, l: 2 },
      d: { m: 4, k: 1, l: 2 }
    })
  })

  it("is missing in an empty file", async () => {
    for (const text of ["", "\n", "# nothing\n", "---\n"]) assert.isNotOk((await value(text)) ?? null, text)
  })
})

describe("a variable", () => {
  it.each<[text: string, expected: unknown]>([
    [`\${NAME}`, "value"],
    [`a\${NAME}b\${COUNT}`, "avalueb5"],
    [`"\${NAME}"`, "value"],
    [`\${COUNT}`, 5],
    [`"\${COUNT}"`, "5"],
    [`\${NOPE:-7}`, 7],
    [`\${NOPE:-}`, ""],
    [`\${EMPTY:-7}`, 7],
    [`\${EMPTY:-}`, ""],
    [`\${NAME:-other}`, "value"],
    [`$\${NAME}`, `\${NAME}`],
    ["$NAME", "$NAME"],
    ["a$", "a$"],
    // A value, whatever it looks like.
    [`\${INJECTION}`, "a: b\n- c"]
  ])("is replaced in %s", async (text, expected) => {
    assert.deepStrictEqual(await value(`a: ${text}`), { a: expected })
  })

  it("is not replaced in keys", async () => {
    const key = `\${NAME}`
    assert.deepStrictEqual(await value(`${key}: 1`), { [key]: 1 })
  })
})

describe("an unreadable text", () => {
  it.each<[text: string, expected: ReadonlyArray<string>]>([
    [
      `a: 1\nb: \${NOPE}\nc: ["\${NADA}"]`,
      ["2:4: the environment variable NOPE is not set", "3:5: the environment variable NADA is not set"]
    ],
    [`a: x\${EMPTY}`, ["1:4: the environment variable EMPTY is empty"]],
    [
      `a: \${`,
      [
        `1:4: a \${ that begins no variable, as \${NAME} and \${NAME:-TEXT} do; write $\${ for the characters themselves`
      ]
    ],
    ["a: 1\nb: 2\na: 3", ["3:1: this key is here twice, first in line 1"]],
    ['{"a": 1,\n "a": 2}', ["2:2: this key is here twice, first in line 1"]],
    ["a: *b", ["1:4: no such anchor before this alias"]],
    ["a: &a [*a]", ["1:8: no such anchor before this alias"]],
    ["a: {<<: 1}", ["1:4: << takes a map, or a list of maps"]],
    ["? [a]\n: b", ["1:3: a key has to be a text"]],
    [
      "a: !include b\nc: !!int 5",
      ["1:4: tags such as !include mean nothing here", "2:4: tags such as !include mean nothing here"]
    ],
    ["a: 1\n---\nb: 2", ["2:1: a second document begins, and a config file is one"]],
    ["a:\n\t- b", ["2:1: tabs cannot indent, only spaces"]],
    [
      "a: b: c",
      ["1:4: this is a map in the middle of a line; put a text with a colon and a space in it in quotes"]
    ],
    [
      `a: [\${NAME}]`,
      [`1:6: missing , or : between flow sequence items; between [ ] and { }, \${NAME} has to be in quotes`]
    ],
    ["%FOO\n---\na: 1", ["1:1: a line that begins with % is a directive, which means nothing here"]],
    ["a: @b", ["1:4: a text that begins with this character has to be put in quotes"]],
    ['a: "\\q"', ["1:5: this is no escape of double-quoted text; in single quotes a backslash is only that"]],
    ["a: [1, 2", ["1:9: flow sequence in block collection must be sufficiently indented and end with a ]"]]
  ])("is told with its place: %j", async (text, expected) => {
    assert.deepStrictEqual(await errors(text), expected)
  })

  it("does not recurse without a bound", async () => {
    const levels = 20_000
    for (const text of [
      "[".repeat(levels),
      "{a: ".repeat(levels),
      "- ".repeat(levels),
      "? ".repeat(levels)
    ]) {
      assert.deepStrictEqual(await errors(text), ["1:1: values lie in one another more than 100 deep"])
    }
    const indented = Array.from({ length: 300 }, (_, level) => `${" ".repeat(level)}a:`).join("\n")
    assert.deepStrictEqual(await errors(indented), ["1:1: values lie in one another more than 100 deep"])
  })

  it("is one with aliases that would need too much memory", async () => {
    const bomb = Array.from({ length: 20 }, (_, level) =>
      level === 0
        ? "a0: &a0 [x]"
        : `a${level}: &a${level} [${Array(9)
            .fill(`*a${level - 1}`)
            .join(", ")}]`
    )
    const [first] = await errors(bomb.join("\n"))
    assert.match(first!, /^6:\d+: aliases stand for more than 100000 values$/)
  })

  it("never shows a value", async () => {
    for (const text of [
      'a: "hunter2',
      "a: 'hunter2\\",
      "a: hunter2: hunter2",
      "a: |hunter2",
      "a: [hunter2",
      "hunter2: }",
      'a: "\\hunter2"',
      "a: %hunter2",
      "a: !hunter2 b",
      "*hunter2 : a",
      "%hunter2\n---\na: b"
    ]) {
      const all = (await errors(text)).join("\n")
      assert.isNotEmpty(all, text)
      assert.notInclude(all, "hunter2")
    }
  })

  it("never makes the reader throw", async () => {
    const pieces = fc.constantFrom(
      ..."-?:,[]{}#&*!|>'\"%@`$~<=\\ \t\r\n\0",
      "a",
      "1",
      "<<",
      "---",
      "...",
      "&a",
      "*a",
      `\${`,
      `\${A}`,
      ": ",
      "- "
    )
    await holds(
      fc.asyncProperty(
        fc.oneof(
          anything,
          fc.array(pieces).map((all) => all.join(""))
        ),
        async (text) => {
          const { errors } = await parse(text)
          for (const { line, column } of errors) {
            assert.isAtLeast(line, 1)
            assert.isAtLeast(column, 1)
          }
        }
      ),
      { numRuns: 200 }
    )
  })
})
