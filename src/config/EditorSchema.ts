/**
 * The JSON Schema of the config file, for editors: what each setting means, its
 * default, and which values it can have. Draft 7, which editors know best.
 */
import * as JsonSchema from "effect/JsonSchema"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import * as ConfigFile from "./ConfigFile.ts"
import { flagName, isText, type Table } from "./Setting.ts"

/** The whole document, for these settings. */
export const make = (table: Table): JsonSchema.JsonSchema => {
  const forms = ConfigFile.formsOf(table)
  const { schema, definitions } = JsonSchema.toDocumentDraft07(
    SchemaRepresentation.toJsonSchemaDocument(
      // The encoded side, which is JSON.
      Schema.toRepresentation(Schema.toEncoded(ConfigFile.schema(forms))),
      { onExcessProperty: "error" }
    )
  )
  const properties = schema.properties as Readonly<Record<string, JsonSchema.JsonSchema>>
  return {
    $schema: JsonSchema.META_SCHEMA_URI_DRAFT_07,
    title: "The config file of effect-socks",
    ...schema,
    properties: {
      ...properties,
      ...Object.fromEntries(
        Object.keys(forms).map((name) => [
          flagName(name),
          { ...described(table[name]!), ...orVariable(properties[flagName(name)]!) }
        ])
      )
    },
    definitions: {
      variable: { description: "The environment variable NAME", type: "string", pattern: "\\$\\{[A-Za-z_]" },
      ...Object.fromEntries(
        Object.entries(definitions).map(([name, definition]) => [name, orVariable(definition)])
      )
    }
  }
}

/** The description and the default of a setting, which its form does not have. */
const described = (setting: Table[string]) => {
  const { description } = setting
  if (!isText(setting)) return { description }
  const { defaultText, read, separator } = setting
  const texts = separator ? defaultText.split(", ") : [defaultText]
  // Some default texts, such as none, are no value of the setting.
  if (setting.default === undefined || !texts.every((text) => Option.isSome(read(text))))
    return { description }
  const values = texts.map((text) => (/^(?:true|false|[1-9]\d*)$/.test(text) ? JSON.parse(text) : text))
  return { description, default: separator ? values : values[0] }
}

const variable: JsonSchema.JsonSchema = { $ref: "#/definitions/variable" }

/** The schema, with `${NAME}` as an alternative to each text, number or boolean. */
const orVariable = (schema: JsonSchema.JsonSchema): JsonSchema.JsonSchema => {
  if (isScalar(schema)) return { anyOf: [schema, variable] }
  return Object.fromEntries(
    Object.entries(schema).map(([keyword, argument]) => {
      if (Array.isArray(argument) && (keyword === "anyOf" || keyword === "oneOf")) {
        return ["anyOf", flat(argument.map(orVariable))]
      }
      if (!isMap(argument)) return [keyword, argument]
      if (keyword === "properties") {
        const all = Object.entries(argument as Readonly<Record<string, JsonSchema.JsonSchema>>)
        return [keyword, Object.fromEntries(all.map(([key, property]) => [key, orVariable(property)]))]
      }
      const isInner = keyword === "items" || keyword === "additionalProperties"
      return [keyword, isInner ? orVariable(argument) : argument]
    })
  )
}

/** Flattens nested alternatives, and keeps one `variable` among them. */
const flat = (schemas: ReadonlyArray<JsonSchema.JsonSchema>): ReadonlyArray<JsonSchema.JsonSchema> => {
  const all = schemas.flatMap((schema) =>
    Array.isArray(schema.anyOf) && Object.keys(schema).length === 1 ? schema.anyOf : [schema]
  )
  return all.includes(variable) ? [...all.filter((schema) => schema !== variable), variable] : all
}

const isScalar = ({ type, enum: words }: JsonSchema.JsonSchema): boolean =>
  Array.isArray(words) || [type].flat().some((it) => /^(?:string|integer|number|boolean)$/.test(String(it)))

const isMap = (value: unknown): value is JsonSchema.JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)
