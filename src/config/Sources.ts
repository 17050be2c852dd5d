/**
 * Where settings come from: flags, then environment variables, then the config
 * file, then defaults.
 */

import * as EnvConfig from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import { BadSetting, BadSettings } from "../Errors.ts"
import { printable } from "../wire/Text.ts"
import * as ConfigFile from "./ConfigFile.ts"
import { Files } from "./Files.ts"
import {
  defaults,
  flagName,
  type Setting,
  type Table,
  texts as textsIn,
  type Values,
  variableName
} from "./Setting.ts"
import { nearest } from "./Suggest.ts"

/** The texts given as flags, by setting; empty where there was none. */
export type Given = Readonly<Record<string, ReadonlyArray<string>>>

/** A flag for each setting of a table that has one, which hands on its texts unread. */
export const flags = (table: Table): Record<string, Flag.Flag<ReadonlyArray<string>>> =>
  Object.fromEntries(
    Object.entries(textsIn(table)).map(([name, setting]) => {
      const described = <A>(flag: Flag.Flag<A>) =>
        flag.pipe(
          Flag.withDescription(
            `${setting.description} (${variableName(name)}; default: ${setting.defaultText})`
          )
        )
      return [
        name,
        setting.isSwitch
          ? described(Flag.Boolean(flagName(name))).pipe(
              Flag.optional,
              Flag.map(Option.match({ onNone: () => [], onSome: (on) => [String(on)] }))
            )
          : described(Flag.String(flagName(name)).pipe(Flag.withMetavar(setting.metavar))).pipe(
              Flag.atLeast(0)
            )
      ]
    })
  )

/** All that is set, and where it comes from. */
export interface Read<out V> {
  readonly values: V
  /** Where in the config file the values are that come from there. */
  readonly locate: ConfigFile.Locate
  /** Everything that was read: the config file, and those with secrets. */
  readonly files: ReadonlySet<string>
  /** What was in them, but for the targets of rules. */
  readonly texts: ReadonlyMap<string, string>
  /** The same without any rules: with these and the rules, another process reads the same values. */
  readonly forWorkers: ReadonlyMap<string, string>
}

/**
 * The settings of a table from where they come from: a flag before a variable before the
 * config file before the default. Changes nothing, and can be done again at any
 * time. Fails with all that is wrong in any of the three.
 */
export const read = Effect.fnUntraced(function* <T extends Table>(
  table: T,
  given: Given
): Effect.fn.Return<Read<Values<T>>, BadSettings, FileSystem.FileSystem> {
  const files = yield* Files.make
  const texts = textsIn(table)
  const { said, errors } = yield* fromTexts(texts, given)
  const named = Object.keys(texts).find((name) => texts[name]?.isConfigFile)
  const path = named === undefined ? undefined : said[named]
  const file = typeof path === "string" ? yield* fromFile(path, table, files) : noFile
  const [first, ...others] = [...errors, ...file.errors]
  if (first) return yield* new BadSettings({ errors: [first, ...others] })
  const overridden = new Set<PropertyKey | undefined>(Object.keys(said).map(flagName))
  const forWorkers = new Map(files.texts)
  if (typeof said.config === "string" && file.text !== undefined) forWorkers.set(said.config, file.text)
  return {
    values: { ...defaults(table), ...file.values, ...said } as Values<T>,
    forWorkers,
    locate: (path) => (overridden.has(path[0]) ? undefined : file.locate(path)),
    files: files.seen,
    texts: files.texts
  }
})

/** An error, with the place of each value that it is about and that is in the config file. */
export const placed = <E>(error: E, locate: ConfigFile.Locate): E | BadSetting | BadSettings => {
  const place = <A>(each: A): A | BadSetting => {
    if (!(each instanceof BadSetting)) return each
    const found = locate([each.setting.replace(/^--/, ""), ...(each.path ?? [])])
    return found === undefined ? each : new BadSetting({ ...each, ...found })
  }
  if (!(error instanceof BadSettings)) return place(error)
  const [first, ...others] = error.errors
  return new BadSettings({ errors: [place(first), ...others.map(place)] })
}

const noFile = { values: {}, locate: () => undefined, text: undefined, errors: [] }

const fromFile = (path: string, table: Table, files: Files["Service"]) =>
  ConfigFile.read(path, ConfigFile.formsOf(table)).pipe(
    Effect.provideService(Files, files),
    Effect.map((read) => ({ ...read, errors: [] })),
    Effect.catch(({ errors }) => Effect.succeed({ ...noFile, errors }))
  )

/** The values of a table that environment variables give. Fails with all that is wrong in them. */
export const fromVariables = Effect.fnUntraced(function* <T extends Table>(
  table: T
): Effect.fn.Return<Partial<Values<T>>, BadSettings> {
  const {
    said,
    errors: [first, ...others]
  } = yield* fromTexts(textsIn(table), {})
  if (first) return yield* new BadSettings({ errors: [first, ...others] })
  return said as Partial<Values<T>>
})

/** The names of all variables that the `ConfigProvider` has and that begin as those of settings do. */
export const variables: Effect.Effect<ReadonlyArray<string>> = Effect.gen(function* () {
  const { load } = yield* ConfigProvider.ConfigProvider
  const within = (path: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>> =>
    Effect.gen(function* () {
      const name = path.join("_")
      if (!name.startsWith(prefix.slice(0, name.length)) && !name.startsWith(prefix)) return []
      const node = yield* Effect.orElseSucceed(load(path), () => undefined)
      if (node === undefined) return []
      if (node._tag !== "Record") return [name]
      const inner = yield* Effect.forEach(node.keys, (key) => within([...path, key]))
      return [...(node.value === undefined ? [] : [name]), ...inner.flat()]
    })
  return yield* within([])
})

const prefix = "SOCKS_"

/** A sentence for each variable that looks like one of a setting, and is none of this table. */
export const strangers = (table: Table, variables: ReadonlyArray<string>): ReadonlyArray<string> => {
  const known = new Map(
    Object.keys(textsIn(table))
      .map(variableName)
      .map((variable) => [variable.slice(prefix.length), variable])
  )
  return variables
    .filter((variable) => variable.startsWith(prefix))
    .map((variable) => variable.slice(prefix.length))
    .filter((name) => !known.has(name))
    .map((name) => {
      const meant = nearest(name, [...known.keys()])
      const question = meant === undefined ? "" : `; did you mean ${known.get(meant)}?`
      return `the environment variable ${printable(prefix + name)} is no setting${question}`
    })
}

/** The values that flags and variables give, and what is wrong with the others. */
const fromTexts = Effect.fnUntraced(function* (
  table: Readonly<Record<string, Setting<unknown>>>,
  given: Given
) {
  const said: Record<string, unknown> = {}
  const errors: Array<BadSetting> = []
  for (const [name, setting] of Object.entries(table)) {
    const { source, texts } = yield* textsOf(name, setting, given[name] ?? [])
    if (texts.length === 0) continue
    const values: Array<unknown> = []
    for (const text of texts) {
      const value = setting.read(text)
      if (Option.isSome(value)) values.push(value.value)
      else errors.push(bad(source, text, setting))
    }
    said[name] = setting.separator ? values : values.at(-1)
  }
  return { said, errors }
})

const textsOf = Effect.fnUntraced(function* (
  name: string,
  setting: Setting<unknown>,
  given: ReadonlyArray<string>
) {
  if (given.length > 0) {
    return { source: `--${flagName(name)}`, texts: given.flatMap((text) => flagTexts(text, setting)) }
  }
  const source = variableName(name)
  const variable = yield* Effect.orDie(EnvConfig.option(EnvConfig.String(source)))
  const text = Option.getOrElse(variable, () => "")
  return { source, texts: text === "" ? [] : variableTexts(text, setting) }
})

const bad = (source: string, text: string, { isSecret, expected }: Setting<unknown>): BadSetting =>
  new BadSetting({
    setting: source,
    value: isSecret ? "what was given" : `"${printable(text)}"`,
    expected
  })

const variableTexts = (text: string, { separator }: Setting<unknown>): ReadonlyArray<string> =>
  separator ? text.split(separator).filter((part) => part !== "") : [text]

/** A flag's text as the values it lists, between commas. A secret may have commas in it. */
const flagTexts = (text: string, { separator, isSecret }: Setting<unknown>): ReadonlyArray<string> =>
  separator && !isSecret ? text.split(",") : [text]
