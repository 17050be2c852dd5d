/**
 * The config file. One `Schema` gives the values, the messages about mistakes in a
 * file, and the JSON Schema for editors.
 */
import * as EnvConfig from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaParser from "effect/SchemaParser"
import * as Slices from "../base/Slices.ts"
import { BadFile, type BadSetting, BadSettings, type Place } from "../Errors.ts"
import { printable } from "../wire/Text.ts"
import { Files } from "./Files.ts"
import * as ProblemErrors from "./ProblemErrors.ts"
import * as Rule from "./Rule.ts"
import { isShort, type Rules, RuleTable } from "./RuleTable.ts"
import * as SchemaErrors from "./SchemaErrors.ts"
import type { Form } from "./Schemas.ts"
import * as Setting from "./Setting.ts"
import * as TargetFiles from "./TargetFiles.ts"
import * as Variables from "./Variables.ts"
import * as Yaml from "./Yaml.ts"

/** The schema of each setting in a config file, by the setting's name in this program. */
export type Forms = Readonly<Record<string, Form<unknown>>>

export interface Read {
  /** The values of the settings that the file has, by the setting's name in this program. */
  readonly values: Readonly<Record<string, unknown>>
  readonly locate: Locate
  /** The text of the file; without the rules, if there are many. */
  readonly text: string
}

/** The rules of the file as another process has read them: a worker does not read them again. */
export const KnownRules = Context.Reference<Rules | undefined>("effect-socks/config/ConfigFile/KnownRules", {
  defaultValue: () => undefined
})

/** The name and the place of the value at a path of keys; if the file lacks the value, of the nearest parent. */
export type Locate = (
  path: ReadonlyArray<PropertyKey>
) => { readonly setting: string; readonly place?: Place } | undefined

/** The schemas of the settings that a config file can have: all but the setting that names a config file. */
export const formsOf = (table: Setting.Table): Forms =>
  Object.fromEntries(
    Object.entries(table)
      .filter(([, setting]) => !(Setting.isText(setting) && setting.isConfigFile))
      .map(([name, setting]) => [name, Setting.formOf(setting)])
  )

/** The schema of a whole file, with the keys of the file. */
export const schema = (forms: Forms) =>
  Schema.Struct({
    /** For editors. */
    $schema: Schema.optionalKey(Schema.String),
    ...Object.fromEntries(
      Object.entries(forms).map(([name, form]) => [Setting.flagName(name), Schema.optionalKey(form)])
    )
  })

/** Reads a file. Fails with all mistakes in the file. */
export const read = Effect.fnUntraced(function* (
  path: string,
  forms: Forms
): Effect.fn.Return<Read, BadSettings, Files> {
  const file = printable(path)
  const files = yield* Files
  const text = yield* Effect.mapError(
    files.read(path),
    (reason) => new BadSettings({ errors: [new BadFile({ at: file, reason })] })
  )
  yield* Effect.yieldNow
  const variables = new Map<string, Option.Option<string>>()
  for (const name of Variables.names(text)) {
    variables.set(name, yield* Effect.orDie(EnvConfig.option(EnvConfig.String(name))))
  }
  const variable = (name: string) => variables.get(name) ?? Option.none()
  yield* Effect.yieldNow
  const plainly = yield* readPlain(file, text, variable, forms)
  if (plainly !== undefined) return yield* plainly
  const { written, errors: mistakes } = yield* Yaml.parse(text, variable)
  const errors: Array<BadFile | BadSetting> = mistakes.map(
    ({ reason, line, column }) => new BadFile({ at: { file, line, column }, reason })
  )
  const known = yield* KnownRules
  const value = known && isMap(written?.value) ? { ...written.value, rules: [] } : written?.value
  const decoded =
    written === undefined
      ? Result.succeed({})
      : yield* Effect.result(SchemaParser.decodeUnknownEffect(schema(forms))(value, strictly))
  if (written && Result.isFailure(decoded)) {
    const problems = SchemaErrors.fromIssue(decoded.failure).map((problem) => error(file, written, problem))
    errors.push(
      ...problems
        .filter(({ at }) => !mistakes.some((mistake) => isSame(mistake, at)))
        .map(({ error }) => error)
    )
  }
  const [first, ...others] = errors.toSorted((one, other) => comparePositions(placeOf(one), placeOf(other)))
  if (first) return yield* new BadSettings({ errors: [first, ...others] })
  const said = Result.getOrElse(decoded, () => ({})) as Readonly<Record<string, unknown>>
  const values = valuesOf(known ? { ...said, rules: known } : said, forms)
  return { values, locate: (path) => locateIn(file, written, path), text }
})

/** Reads a plain text fast, in slices; undefined for a text that only the package `yaml` can read. */
const readPlain = Effect.fnUntraced(function* (
  file: string,
  text: string,
  variable: (name: string) => Option.Option<string>,
  forms: Forms
): Effect.fn.Return<Effect.Effect<Read, BadSettings> | undefined, never, Files> {
  const known = yield* KnownRules
  const table = new RuleTable()
  // Each rule goes into the table as soon as it is read: very many rule objects never exist at once.
  const take = (item: unknown, index: number) => {
    if (known) return inTable
    const rule = Rule.quick(item)
    if (rule === undefined || !isShort(rule)) return item
    table.set(index, rule)
    return inTable
  }
  const written = yield* Slices.run(
    Yaml.parsePlain(text, variable, [], hasRules(forms) ? { rules: take } : {})
  )
  if (written === undefined) return yield* refuseLong(file, text, variable)
  const { said, problems } = yield* decode(written.value, forms, table)
  if (problems.length > 0) {
    const paths = problems.map(({ path }) => path)
    const places = yield* Slices.run(Yaml.parsePlain(text, variable, paths))
    if (places === undefined) return yield* refuseLong(file, text, variable, paths)
    const [first, ...others] = problems
      .map((problem) => error(file, places, problem).error)
      .toSorted((one, other) => comparePositions(placeOf(one), placeOf(other)))
    return Effect.fail(new BadSettings({ errors: [first!, ...others] }))
  }
  return Effect.succeed({
    values: valuesOf(known ? { ...said, rules: known } : said, forms),
    locate: (path) => locateIn(file, Slices.runSync(Yaml.parsePlain(text, variable, [path])), path),
    text: written.children.get("rules")?.without ?? text
  })
})

const isMap = (u: unknown): u is Record<string, unknown> =>
  typeof u === "object" && u !== null && !Array.isArray(u)

/** Whether `rules` are the rules of a server, and not another setting of that name. */
const hasRules = (forms: Forms): boolean => forms.rules === TargetFiles.rulesForm

/** Stands for a rule that is in the table. */
const inTable = Symbol()

/**
 * Refuses a text that is not plain, and so long that reading it by the package would stop the event loop. Undefined
 * for a short text, or one of comments.
 */
const refuseLong = Effect.fnUntraced(function* (
  file: string,
  text: string,
  variable: (name: string) => Option.Option<string>,
  paths: ReadonlyArray<ReadonlyArray<PropertyKey>> = []
): Effect.fn.Return<Effect.Effect<never, BadSettings> | undefined> {
  if (text.length <= Yaml.limit || !/^[ \t]*[^#\s]/m.test(text)) return undefined
  const at = yield* Slices.run(Yaml.whereNotPlain(text, variable, paths))
  const reason =
    `this is wrong, or no plain YAML: a file of more than ${Yaml.limit / 1024} KiB has to be of maps, lists and ` +
    "texts of one line, without anchors and tags"
  return Effect.fail(new BadSettings({ errors: [new BadFile({ at: { file, ...at }, reason })] }))
})

/** The search for problems stops after about this many. */
const most = 1000

/** Decodes the settings of a file. Adds the rules that are not in the table yet to the table. */
const decode = Effect.fnUntraced(function* (value: unknown, forms: Forms, table: RuleTable) {
  const decodeAs = <A>(form: Form<A>, value: unknown, path: ReadonlyArray<PropertyKey>) =>
    SchemaParser.decodeUnknownEffect(form)(value, strictly).pipe(
      Effect.map((said) => ({ said, problems: [] as ReadonlyArray<SchemaErrors.Problem> })),
      Effect.catch((issue) =>
        Effect.succeed({ said: undefined, problems: SchemaErrors.fromIssue(issue, path) })
      )
    )
  const all = schema(forms) as Form<Readonly<Record<string, unknown>>>
  const { rules, ...rest }: Record<string, unknown> = isMap(value) ? value : {}
  if (!hasRules(forms) || !Array.isArray(rules)) {
    const { said = {}, problems } = yield* decodeAs(all, value, [])
    return { said, problems }
  }
  // A slice keeps the whole text in memory; a copy does not.
  const { said = {}, problems } = yield* decodeAs(all, structuredClone(rest), [])
  const wrong = [...problems]
  for (let index = 0, tried = 0; index < rules.length && wrong.length < most; index++) {
    if (rules[index] === inTable) continue
    const quick = Rule.quick(rules[index])
    const one =
      quick === undefined
        ? yield* decodeAs(TargetFiles.ruleForm, rules[index], ["rules", index])
        : { said: quick, problems: [] }
    if (one.said !== undefined) yield* Slices.run(table.setInSlices(index, one.said))
    wrong.push(...one.problems)
    if (++tried % 16 === 0) yield* Effect.yieldNow
  }
  return { said: { ...said, rules: table }, problems: wrong }
})

const valuesOf = (said: Readonly<Record<string, unknown>>, forms: Forms): Read["values"] => {
  const names = Object.keys(forms).filter((name) => Setting.flagName(name) in said)
  return Object.fromEntries(names.map((name) => [name, said[Setting.flagName(name)]]))
}

const locateIn = (
  file: string,
  written: Yaml.Written | undefined,
  path: ReadonlyArray<PropertyKey>
): ReturnType<Locate> => {
  if (written === undefined) return undefined
  const { found, rest } = follow(written, path)
  return found === written
    ? undefined
    : { setting: ProblemErrors.nameOf(path.slice(0, path.length - rest)), place: { file, ...found.at } }
}

/** Options of the decoder: refuse unknown keys, and report all problems. */
export const strictly = { errors: "all", onExcessProperty: "error" } as const

const error = (file: string, root: Yaml.Written, problem: SchemaErrors.Problem) => {
  const { found, rest } = follow(root, problem.path)
  const at = problem.kind._tag === "Unknown" ? (found.key ?? found.at) : found.at
  const place = { file, line: at.line, column: at.column }
  return { at, error: ProblemErrors.of(problem, { value: found.value, isPart: rest > 0, place }) }
}

/** The value at the end of a path, or the last value on the path, with the number of keys that are left. */
const follow = (root: Yaml.Written, path: SchemaErrors.Problem["path"]) => {
  let found = root
  for (const [index, key] of path.entries()) {
    const child = found.children.get(key)
    if (child === undefined) return { found, rest: path.length - index }
    found = child
  }
  return { found, rest: 0 }
}

const placeOf = (error: BadFile | BadSetting): Yaml.Position => {
  const place = error._tag === "BadFile" ? error.at : error.place
  return typeof place === "object" ? place : { line: 0, column: 0 }
}

const comparePositions = (one: Yaml.Position, other: Yaml.Position): number =>
  one.line - other.line || one.column - other.column

const isSame = (one: Yaml.Position, other: Yaml.Position): boolean => comparePositions(one, other) === 0
