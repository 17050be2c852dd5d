/**
 * Reads settings from their sources: flags take precedence over environment variables,
 * variables over the config file, and the config file over defaults.
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

/** The texts of flags, by setting; an empty list without the flag. */
export type Given = Readonly<Record<string, ReadonlyArray<string>>>

/** The flags of a table of settings. A flag returns its texts, unparsed. */
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

/** The values of settings, and the files that they come from. */
export interface Read<out V> {
  readonly values: V
  /** Finds the place in the config file of a value that comes from the file. */
  readonly locate: ConfigFile.Locate
  /** The paths of all files that were read: the config file, and files with secrets or targets. */
  readonly files: ReadonlySet<string>
  /** The texts of these files, except files of targets. */
  readonly texts: ReadonlyMap<string, string>
  /** The texts without rules. From these texts and the rules, a worker reads the same values. */
  readonly forWorkers: ReadonlyMap<string, string>
}

/**
 * Reads the settings of a table from flags, variables, config file and defaults. Can be
 * repeated at any time. Fails with all mistakes in the flags, variables and config file.
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

/** The error, with the places in the config file of the values that the error is about. */
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

/** Reads the settings of a table from environment variables only. Fails with all mistakes in the variables. */
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

/** The values in flags and variables, and the errors of those that cannot be read. */
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

/** The texts in a flag, which commas separate. A secret may contain commas. */
const flagTexts = (text: string, { separator, isSecret }: Setting<unknown>): ReadonlyArray<string> =>
  separator && !isSecret ? text.split(",") : [text]
