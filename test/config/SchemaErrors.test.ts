/**
 * The sentences that are made of what a `Schema` has against a value.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaParser from "effect/SchemaParser"
import * as SchemaErrors from "../../src/config/SchemaErrors.ts"

const problems = (schema: Schema.Decoder<unknown>, value: unknown) => {
  const decode = SchemaParser.decodeUnknownResult(schema, { errors: "all", onExcessProperty: "error" })
  return SchemaErrors.fromIssue(Result.getOrThrow(Result.flip(decode(value)))).map(({ path, kind }) => [
    path.join("."),
    kind._tag === "Wrong" ? kind.expected : kind._tag === "Said" ? kind.message : kind._tag
  ])
}

describe("a value of the wrong kind", () => {
  it.each<[expected: string, schema: Schema.Decoder<unknown>]>([
    ["a text", Schema.String],
    ["a finite number", Schema.Finite],
    ["true or false", Schema.Boolean],
    ["a list", Schema.Array(Schema.String)],
    ["a map of keys and values", Schema.Struct({ a: Schema.String })],
    ["a map of keys and values", Schema.Record(Schema.String, Schema.String)],
    ["yes", Schema.Literal("yes")],
    ["one of yes, no and never", Schema.Literals(["yes", "no", "never"])],
    ["one of a text and a finite number", Schema.Union([Schema.String, Schema.Finite])],
    ["a name", Schema.String.annotate({ expected: "a name" })],
    ["a word", Schema.Union([Schema.String, Schema.Finite]).annotate({ expected: "a word" })]
  ])("is not %s", (expected, schema) => {
    assert.deepStrictEqual(problems(schema, null), [["", expected]])
  })
})

describe("a value that fails a check", () => {
  it("has the expectation of the check, or of the schema around it", () => {
    const short = Schema.String.check(Schema.isMaxLength(3, { expected: "a short text" }))
    assert.deepStrictEqual(problems(short, "long text"), [["", "a short text"]])
    assert.deepStrictEqual(
      problems(Schema.Union([short, Schema.Finite]).annotate({ expected: "an id" }), "long"),
      [["", "an id"]]
    )
  })

  it("has the message of the check", () => {
    const said = Schema.String.check(Schema.makeFilter((text) => text !== "x" || "x is taken"))
    assert.deepStrictEqual(problems(Schema.Struct({ a: said.annotate({ expected: "free" }) }), { a: "x" }), [
      ["a", "x is taken"]
    ])
    const inside = Schema.Struct({ a: Schema.String, b: Schema.String }).check(
      Schema.makeFilter(({ a, b }) => (a === b ? { path: ["b"], issue: "is the same as a" } : undefined))
    )
    assert.deepStrictEqual(problems(inside, { a: "x", b: "x" }), [["b", "is the same as a"]])
  })
})

describe("a value of several forms", () => {
  const forms = Schema.Union([
    Schema.String.check(Schema.isPattern(/^\w+$/u, { expected: "a word" })),
    Schema.Struct({ allow: Schema.String, ports: Schema.Array(Schema.Finite) }),
    Schema.Struct({ deny: Schema.String })
  ])

  it("has the message of the most similar form", () => {
    assert.deepStrictEqual(problems(forms, "two words"), [["", "a word"]])
    assert.deepStrictEqual(problems(forms, { allow: "x", ports: ["80"] }), [["ports.0", "a finite number"]])
    assert.deepStrictEqual(problems(forms, { deny: 5 }), [["deny", "a text"]])
    assert.deepStrictEqual(problems(Schema.Array(forms), ["x", "two words", { deny: "x", why: "y" }]), [
      ["1", "a word"],
      ["2.why", "Unknown"]
    ])
  })
})
