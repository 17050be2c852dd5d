/**
 * Environment variables in the texts of the config file.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as fc from "fast-check"
import * as Variables from "../../src/config/Variables.ts"
import { holds } from "../support/property.ts"

const environment: Readonly<Record<string, string>> = { NAME: "alice", EMPTY: "", NESTED: `\${NAME}` }

const substitute = (text: string) =>
  Variables.substitute(text, (name) => Option.fromUndefinedOr(environment[name]))

describe("variables in a text", () => {
  for (const [text, expected] of [
    [`a \${NAME} b \${NAME}`, "a alice b alice"],
    [`\${NONE:-bob}`, "bob"],
    [`\${EMPTY:-bob}`, "bob"],
    [`\${NAME:-bob}`, "alice"],
    [`\${NONE:-}`, ""],
    [`$\${NAME}`, `\${NAME}`],
    ["$NAME $ {NAME} $", "$NAME $ {NAME} $"],
    // What a variable holds is not looked at again.
    [`\${NESTED}`, `\${NAME}`]
  ] as const) {
    it(`${text} is ${expected}`, () => {
      assert.deepStrictEqual(substitute(text), { text: expected, errors: [] })
    })
  }

  it("that are missing, empty or malformed are mistakes", () => {
    assert.deepStrictEqual(substitute(`\${NONE} \${EMPTY}`).errors, [
      "the environment variable NONE is not set",
      "the environment variable EMPTY is empty"
    ])
    for (const text of [`\${`, `\${1}`, `\${NAME`, `\${NAME:?}`]) {
      assert.match(substitute(text).errors.join(), /begins no variable/, text)
    }
  })

  it("are all among the names that are read first", () => {
    holds(
      fc.property(fc.string({ unit: fc.constantFrom(...`\${}:-AB_1 `) }), (text) => {
        const names = Variables.names(text)
        Variables.substitute(text, (name) => {
          assert.isTrue(names.has(name))
          return Option.none()
        })
      })
    )
  })

  it("leave a text without a dollar sign unchanged", () => {
    holds(
      fc.property(fc.string(), (text) => {
        const plain = text.replaceAll("$", "")
        assert.deepStrictEqual(substitute(plain), { text: plain, errors: [] })
      })
    )
  })
})
