/**
 * Lists in JSON, in pieces: what `JSON.parse` makes of them, and nothing that it does not take.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as JsonList from "../../src/base/JsonList.ts"
import * as Slices from "../../src/base/Slices.ts"
import { holds } from "../support/property.ts"

const outcome = (parse: () => unknown) => {
  try {
    return { value: parse() }
  } catch (error) {
    return { isRefused: error instanceof SyntaxError }
  }
}

/** Parses a text in pieces of these characters. */
const inPieces = (text: string, piece = 1) => outcome(() => Slices.runSync(JsonList.parse(text, piece)))

const alike = (text: string) => {
  for (const piece of [1, 10]) {
    assert.deepStrictEqual(
      inPieces(text, piece),
      outcome(() => JSON.parse(text)),
      text
    )
  }
}

describe("a list in JSON", () => {
  it("has the items that JSON.parse finds", () =>
    holds(
      fc.property(fc.array(fc.jsonValue()), fc.nat(3), (list, spaces) => {
        alike(JSON.stringify(list, null, spaces))
      })
    ))

  it("is refused where JSON.parse refuses it, and is else the same", () => {
    const part = fc.constantFrom(
      ...[
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        '"',
        '"a"',
        "\\",
        '\\"',
        " ",
        "\n",
        "\u00a0",
        "1",
        "null",
        '{"a":[1]}'
      ]
    )
    return holds(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        alike(parts.join(""))
        alike(`[${parts.join("")}]`)
      }),
      { numRuns: 2000 }
    )
  })

  it("may end with no comma, and with nothing behind it", () => {
    for (const text of [
      "[1,2,]",
      "[,1]",
      "[1,,2]",
      "[1]]",
      "[1}",
      "[1] x",
      "[1",
      '["a]',
      "[,]",
      "[ ,]",
      "[ ]",
      "[]",
      "[1,2]\n"
    ]) {
      alike(text)
    }
  })

  it("is parsed in so many pieces that none is long", () => {
    const text = JSON.stringify(Array.from({ length: 1000 }, (_, index) => ({ name: `a,"]${index}` })))
    const work = JsonList.parse(text, 1024)
    let pieces = 1
    while (!work.next().done) pieces++
    assert.isAtLeast(pieces, text.length / 1024 / 2)
  })
})
