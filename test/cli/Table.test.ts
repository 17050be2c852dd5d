/**
 * Tables, as terminals show them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Table from "../../src/cli/Table.ts"

describe("a table", () => {
  it("has columns as wide as their texts, and nothing behind them", () => {
    const columns = [
      { title: "NAME", of: ([name]: readonly [string, number]) => name },
      { title: "COUNT", of: ([, count]: readonly [string, number]) => String(count), isNumber: true },
      { title: "END", of: () => "x" }
    ]
    assert.deepStrictEqual(Table.lines(columns, [["a", 5] as const, ["longer", 123456] as const]), [
      "NAME     COUNT  END",
      "a            5  x",
      "longer  123456  x"
    ])
  })
})
