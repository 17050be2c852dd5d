import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Condition from "../../../src/config/conditions/Condition.ts"

describe("a value", () => {
  const even = Condition.value<{ readonly half: number }>({
    read: (text) => (Number(text) % 2 === 0 ? Option.some({ half: Number(text) / 2 }) : Option.none()),
    expected: "an even number"
  })

  it("is read from a text, or from a number like its text", () => {
    assert.deepStrictEqual(Schema.decodeUnknownSync(even)("4"), { half: 2 })
    assert.deepStrictEqual(Schema.decodeUnknownSync(even)(4), { half: 2 })
  })

  it("that is invalid is reported with the expected form", () => {
    assert.throws(() => Schema.decodeUnknownSync(even)(3), /an even number/)
    assert.throws(() => Schema.decodeUnknownSync(even)({}))
  })
})

describe("a quick text", () => {
  it("is any text that is not empty", () => {
    assert.deepStrictEqual(["a", "", 1, null, undefined, {}].map(Condition.quickText), [
      "a",
      ...[undefined, undefined, undefined, undefined, undefined]
    ])
  })
})
