/**
 * One setting: its meaning, its default, and how it is read from text. Each room
 * declares its own in a `Section`; the flags, the environment variables, the keys of
 * the config file, its JSON Schema, `--help` and the page of settings are all
 * made from these declarations.
 */
import * as Duration from "effect/Duration"
import type * as JsonSchema from "effect/JsonSchema"
import type * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import * as Parsers from "./Parsers.ts"
import * as Schemas from "./Schemas.ts"

/** A setting that can be written as a text. `read` gives nothing for a text that is not as `expected`. */
export interface Setting<out A, out Many extends boolean = boolean> {
  /** Its first sentence stands alone in lists. */
  readonly description: string
  readonly metavar: string
  readonly read: (text: string) => Option.Option<A>
  /** Completes the sentence "… is not …". */
  readonly expected: string
  readonly default: Many extends true ? ReadonlyArray<A> : A
  readonly defaultText: string
  /** Given more than once: repeated as a flag, or separated by commas; separated by this in an environment variable. */
  readonly separator?: RegExp
  /** Takes no value as a flag. */
  readonly isSwitch?: boolean
  /** Its text must not be shown. */
  readonly isSecret?: boolean
  /** The path of the config file, which therefore cannot be in the config file. */
  readonly isConfigFile?: boolean
  /** Which texts, numbers and booleans it can be, as far as an editor of config files should know. */
  readonly json?: JsonSchema.JsonSchema
  /** What a shell completes the flag with: these words, or names of files. */
  readonly completion?: ReadonlyArray<string> | "file" | "directory"
  /** How one value is written in a config file, where that can be more than its text. */
  readonly form?: Schemas.Form<A>
}

/** A setting with a structure, which only the config file has. */
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

/** How a setting is written in the config file. */
export const formOf = (setting: Setting<unknown> | Structured<unknown>): Schemas.Form<unknown> => {
  if (!isText(setting)) return setting.form
  const { read, separator, isSecret, default: initially } = setting
  const one =
    setting.form ??
    Schemas.text({
      ...setting,
      // What would be two in a variable is not one in a secret's own file.
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
