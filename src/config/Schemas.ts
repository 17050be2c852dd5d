/**
 * The schemas of values in the config file. A schema reads a value, says what would be
 * right, and is converted to the JSON Schema of editors.
 *
 * Messages are made of annotations: `expected` completes "… is not …". A value whose
 * schema has `isSecret` is not shown.
 */
import * as Effect from "effect/Effect"
import type * as JsonSchema from "effect/JsonSchema"
import type * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaIssue from "effect/SchemaIssue"
import { printable } from "../wire/Text.ts"
import { Files } from "./Files.ts"
import * as Parsers from "./Parsers.ts"

/** A schema that only decodes. */
export type Form<A> = Schema.Decoder<A, Files>

export interface TextOptions<A> {
  readonly read: (text: string) => Option.Option<A>
  /** Completes the sentence "… is not …". */
  readonly expected: string
  /** The JSON Schema of the texts, numbers and booleans that editors accept. */
  readonly json?: JsonSchema.JsonSchema
  /** Whether the value is a secret: it can be in a file of its own, and is never shown. */
  readonly isSecret?: boolean
  /** The reason why a text is wrong, without a part of the text. */
  readonly why?: (text: string) => string
}

/** A schema that decodes with `schema`, and then makes another value with `read`. */
export const thenRead = <A, B, R>(
  schema: Schema.Decoder<A, R>,
  read: (value: A) => Effect.Effect<B, SchemaIssue.Issue, R>
): Schema.Decoder<B, R> =>
  schema.pipe(
    Schema.decodeTo(
      Schema.declare((_: unknown): _ is B => true),
      {
        decode: SchemaGetter.transformEffect(read),
        encode: SchemaGetter.forbiddenEncoding
      }
    )
  )

/** A schema of texts, numbers and booleans, which gives each as its text. */
const scalar = (json: JsonSchema.JsonSchema = { type: ["string", "number", "boolean"] }): Form<string> =>
  thenRead(
    Schema.Unknown.check(
      Schema.makeFilter((value) => /^(?:string|number|boolean)$/.test(typeof value), {
        expected: "a text",
        toJsonSchema: () => json
      })
    ),
    (value) => Effect.succeed(String(value))
  )

/** The value of a text, or of a number as its text. An error says what is `expected`, and no part of the text. */
export const value = <A, Written extends string | number, R>(
  written: Schema.Decoder<Written, R>,
  { read, expected, why }: Pick<TextOptions<A>, "read" | "expected" | "why">
): Schema.Decoder<A, R> =>
  thenRead(written, (text) =>
    Effect.mapError(Effect.fromOption(read(String(text))), () => {
      const reason = why ? `: ${why(String(text))}` : ""
      return new SchemaIssue.InvalidValue({ expected: `${expected}${reason}` })
    })
  )

/**
 * A schema of a value that is one text in flags, variables and files. In files, numbers and booleans are read as their
 * text.
 */
export const text = <A>({ read, expected, json, isSecret = false, why }: TextOptions<A>): Form<A> =>
  thenRead(
    isSecret ? secretText : thenRead(scalar(json), (text) => Effect.succeed({ text })),
    (found: Found) =>
      Effect.mapError(Effect.fromOption(read(found.text)), () => {
        if (found.file === undefined && !why) return new SchemaIssue.InvalidValue({ expected })
        const what = found.file === undefined ? "what was given" : `what is in "${found.file}"`
        const more = why ? `: ${why(found.text)}` : ""
        return new SchemaIssue.InvalidValue({ message: `${what} is not ${expected}${more}` })
      })
  ).annotate({ expected, isSecret })

/** A text, and the printable name of the file it was in, if it was in one. */
interface Found {
  readonly text: string
  readonly file?: string
}

/** `true` or `false`. */
export const toggle: Form<boolean> = text({
  read: Parsers.toggle,
  expected: "true or false",
  json: { type: "boolean" }
})

/** A schema of these words. */
export const word = <A extends string>(words: ReadonlyArray<A>, expected: string): Form<A> =>
  text({ read: (text) => Parsers.literal(text, words), expected, json: { enum: [...words] } })

/** A schema of a list, or of one value instead of a list of one. */
export const list = <A>(one: Form<A>, options: { readonly canBeEmpty: boolean }): Form<ReadonlyArray<A>> => {
  const many = Schema.Array(one)
  return Schema.Union([
    options.canBeEmpty
      ? many
      : many.check(
          Schema.isNonEmpty({ message: "an empty list says nothing; leave it out for its default" })
        ),
    thenRead(one, (value) => Effect.succeed([value]))
  ])
}

const path = text({
  read: Parsers.path,
  expected: "the path of a file",
  json: { type: "string", minLength: 1 }
})

const secretText: Form<Found> = Schema.Union([
  thenRead(scalar(), (text) => Effect.succeed({ text })),
  thenRead(Schema.Struct({ file: path }), ({ file }) =>
    Files.use(({ read }) => read(file)).pipe(
      Effect.map((text) => ({ text: text.replace(/\r?\n$/, ""), file: printable(file) })),
      Effect.mapError((reason) => new SchemaIssue.InvalidValue({ message: `"${printable(file)}" ${reason}` }))
    )
  )
]).annotate({ expected: "a text or { file: PATH }", isSecret: true })

/** A secret text: the text itself, or `{ file: PATH }` for the text of a file without a line break at its end. */
export const secret: Form<Redacted.Redacted> = thenRead(secretText, ({ text }) =>
  Effect.succeed(Redacted.make(text))
)
