/**
 * The declaration of a setting: its description, its default, and its parser. Each room
 * declares its settings in a `Section`. Flags, environment variables, keys of the config
 * file, its JSON Schema, `--help` and the page of settings are made from these declarations.
 */
import * as Duration from "effect/Duration"
import type * as JsonSchema from "effect/JsonSchema"
import type * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import * as Parsers from "./Parsers.ts"
import * as Schemas from "./Schemas.ts"

/** A setting that can be written as a text. `read` returns `None` for a text that is not as `expected`. */
export interface Setting<out A, out Many extends boolean = boolean> {
  /** Lists show only the first sentence. */
  readonly description: string
  readonly metavar: string
  readonly read: (text: string) => Option.Option<A>
  /** Completes the sentence "… is not …". */
  readonly expected: string
  readonly default: Many extends true ? ReadonlyArray<A> : A
  readonly defaultText: string
  /** For a setting with several values: the separator in an environment variable. A flag is repeated, or has commas. */
  readonly separator?: RegExp
  /** Whether the flag takes no value. */
  readonly isSwitch?: boolean
  /** Whether the text must not be shown. */
  readonly isSecret?: boolean
  /** Whether a reload does not change it. */
  readonly isStartOnly?: boolean
  /** The path of the config file, which therefore cannot be in the config file. */
  readonly isConfigFile?: boolean
  /** The JSON Schema of the texts, numbers and booleans that editors accept. */
  readonly json?: JsonSchema.JsonSchema
  /** The completions of the flag in a shell: these words, or names of files. */
  readonly completion?: ReadonlyArray<string> | "file" | "directory"
  /** The schema of one value in a config file, if it can be more than a text. */
  readonly form?: Schemas.Form<A>
}

/** A setting that is a structure, and can only be in the config file. */
export interface Structured<out A> {
  readonly description: string
  readonly form: Schemas.Form<A>
  readonly default: A
  readonly defaultText: string
}

/** Settings by their names in this program. */
export type Table = Readonly<Record<string, Setting<unknown> | Structured<unknown>>>

/** The values of a table of settings. */
export type Values<T extends Table> = { readonly [K in keyof T]: T[K]["default"] }

export const isText = (setting: Setting<unknown> | Structured<unknown>): setting is Setting<unknown> =>
  "read" in setting

/** The settings that can be written as texts, as flags and variables are. */
export const texts = (table: Table): Readonly<Record<string, Setting<unknown>>> =>
  Object.fromEntries(Object.entries(table).flatMap(([name, it]) => (isText(it) ? [[name, it]] : [])))

/** The default values. */
export const defaults = <T extends Table>(table: T): Values<T> =>
  Object.fromEntries(Object.entries(table).map(([name, setting]) => [name, setting.default])) as Values<T>

/** The schema of a setting in the config file. */
export const formOf = (setting: Setting<unknown> | Structured<unknown>): Schemas.Form<unknown> => {
  if (!isText(setting)) return setting.form
  const { read, separator, isSecret, default: initially } = setting
  const one =
    setting.form ??
    Schemas.text({
      ...setting,
      // A secret's own file has one value, so a separator in it is a mistake.
      read: (text) => (isSecret && separator?.test(text) ? Option.none() : read(text))
    })
  return separator
    ? Schemas.list(one, { canBeEmpty: Array.isArray(initially) && initially.length === 0 })
    : one
}

/** `handshakeTimeout` as a flag: `handshake-timeout`. */
export const flagName = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** `handshakeTimeout` as an environment variable: `SOCKS_HANDSHAKE_TIMEOUT`. */
export const variableName = (name: string): string =>
  `SOCKS_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`

export const single = <A>(setting: Setting<A, false>) => setting
export const many = <A>(setting: Setting<A, true> & { readonly separator: RegExp }) => setting
export const structured = <A>(setting: Structured<A>) => setting

/** The same setting, which only the start reads. */
export const startOnly = <S extends Setting<unknown>>(setting: S): S => ({
  ...setting,
  description: `${setting.description}. Read at the start only`,
  isStartOnly: true
})

/** The same table, whose settings only the start reads. */
export const allStartOnly = <T extends Table>(table: T): T =>
  Object.fromEntries(
    Object.entries(table).map(([name, setting]) => [name, isText(setting) ? startOnly(setting) : setting])
  ) as T

export const duration = (options: {
  readonly description: string
  readonly default: string
  readonly canBeOff?: boolean
}): Setting<Duration.Duration, false> => {
  const read = (text: string) =>
    options.canBeOff && text === "off" ? Option.some(Duration.infinity) : Parsers.duration(text)
  return {
    description: options.description,
    metavar: "DURATION",
    read,
    expected: `a duration such as 500ms, 10s, 15m or 1h${options.canBeOff ? ", or off" : ""}`,
    json: {
      type: "string",
      pattern: `^\\d{1,9}(\\.\\d{1,3})?(ms|s|m|h|d)$${options.canBeOff ? "|^off$" : ""}`
    },
    default: Option.getOrThrow(read(options.default)),
    defaultText: options.default
  }
}

export const file = (description: string): Setting<string | undefined, false> => ({
  description,
  metavar: "FILE",
  read: Parsers.path,
  expected: "the path of a file",
  json: { type: "string", minLength: 1 },
  completion: "file",
  default: undefined,
  defaultText: "none"
})

export const count = <Word extends string>(
  description: string,
  word: Word,
  initially: number | Word
): Setting<number | Word, false> => ({
  description,
  metavar: "COUNT",
  read: (text) => (text === word ? Option.some(word) : Parsers.count(text)),
  expected: `a whole number above 0, or ${word}`,
  json: { anyOf: [{ type: "integer", minimum: 1, maximum: 999_999_999 }, { enum: [word] }] },
  default: initially,
  defaultText: String(initially)
})

export const networks = (description: string): Setting<IpNetwork.IpNetwork, true> =>
  many({
    description,
    metavar: "CIDR",
    read: Parsers.network,
    expected: "a network such as 10.0.0.0/8 or 2001:db8::/32, without bits behind its prefix, nor an address",
    default: [],
    defaultText: "none",
    separator: /[\s,]+/
  })

/** One of some words. */
export const word = <const Word extends string>(options: {
  readonly description: string
  readonly metavar: string
  readonly words: ReadonlyArray<Word>
  readonly default: Word
}): Setting<Word, false> => ({
  description: options.description,
  metavar: options.metavar,
  completion: options.words,
  read: (text) => Parsers.literal(text, options.words),
  expected: `one of ${options.words.slice(0, -1).join(", ")} and ${options.words.at(-1)}`,
  json: { enum: [...options.words] },
  default: options.default,
  defaultText: options.default
})

export const toggle = (description: string, initially: boolean): Setting<boolean, false> => ({
  description,
  metavar: "",
  read: Parsers.toggle,
  expected: "true or false",
  json: { type: "boolean" },
  default: initially,
  defaultText: String(initially),
  isSwitch: true
})
