/**
 * As much of a validator of JSON Schema (draft 7) as the schemas of the config file and of Compose need. A
 * keyword it does not know is an error.
 */
type Schema = Readonly<Record<string, unknown>>

/** Keywords that say nothing about values. */
const annotations = [
  ...["$schema", "id", "title", "description", "default", "definitions", "deprecated"],
  // Only said of texts and lists that the tests do not go by.
  ...["format", "uniqueItems"]
]

/** Whether a value is as this schema says, which is `root` or part of it. */
export const isValid = (value: unknown, schema: Schema, root: Schema = schema): boolean =>
  Object.entries(schema).every(([keyword, argument]) => {
    if (annotations.includes(keyword)) return true
    const check = keywords[keyword]
    if (!check) throw new Error(`no such keyword: ${keyword}`)
    return check(value, argument as never, schema, (value, schema) => isValid(value, schema, root), root)
  })

type Check = (
  value: unknown,
  argument: never,
  schema: Schema,
  within: (value: unknown, schema: Schema) => boolean,
  root: Schema
) => boolean

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const types: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === "string",
  number: (value) => typeof value === "number",
  integer: Number.isInteger,
  boolean: (value) => typeof value === "boolean",
  array: Array.isArray,
  object: isMap,
  null: (value) => value === null
}

const keywords: Readonly<Record<string, Check>> = {
  $ref: (value, ref: string, _, within, root) =>
    within(value, (root.definitions as Record<string, Schema>)[ref.replace("#/definitions/", "")]!),
  type: (value, type: string | ReadonlyArray<string>) => [type].flat().some((it) => types[it]!(value)),
  enum: (value, words: ReadonlyArray<unknown>) => words.includes(value),
  anyOf: (value, all: ReadonlyArray<Schema>, _, within) => all.some((schema) => within(value, schema)),
  oneOf: (value, all: ReadonlyArray<Schema>, _, within) =>
    all.filter((schema) => within(value, schema)).length === 1,
  pattern: (value, pattern: string) => typeof value !== "string" || new RegExp(pattern, "u").test(value),
  minLength: (value, least: number) => typeof value !== "string" || value.length >= least,
  minimum: (value, least: number) => typeof value !== "number" || value >= least,
  maximum: (value, most: number) => typeof value !== "number" || value <= most,
  minItems: (value, least: number) => !Array.isArray(value) || value.length >= least,
  items: (value, schema: Schema, _, within) =>
    !Array.isArray(value) || value.every((item) => within(item, schema)),
  required: (value, keys: ReadonlyArray<string>) => !isMap(value) || keys.every((key) => key in value),
  properties: (value, all: Readonly<Record<string, Schema>>, _, within) =>
    !isMap(value) ||
    Object.entries(all).every(([key, schema]) => !(key in value) || within(value[key], schema)),
  patternProperties: (value, all: Readonly<Record<string, Schema>>, _, within) =>
    !isMap(value) ||
    Object.entries(all).every(([pattern, schema]) =>
      Object.keys(value).every((key) => !new RegExp(pattern, "u").test(key) || within(value[key], schema))
    ),
  additionalProperties: (
    value,
    others: boolean | Schema,
    { properties = {}, patternProperties = {} },
    within
  ) =>
    others === true ||
    !isMap(value) ||
    Object.entries(value)
      .filter(
        ([key]) =>
          !(key in (properties as object)) &&
          !Object.keys(patternProperties as object).some((pattern) => new RegExp(pattern, "u").test(key))
      )
      .every(([, other]) => others !== false && within(other, others))
}
