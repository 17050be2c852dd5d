/**
 * Where settings come from: flags, then environment variables, then defaults.
 */

import * as EnvConfig from "effect/Config"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { BadSetting } from "../Errors.ts"
import { printable } from "../wire/Text.ts"
import { flagName, type Setting, type Values, variableName } from "./Settings.ts"

type Table = Readonly<Record<string, Setting<unknown>>>

/** The texts given as flags, by setting; empty where there was none. */
export type Given = Readonly<Record<string, ReadonlyArray<string>>>

/** A flag for each setting of a table, which hands on its texts unread. */
export const flags = (table: Table): Record<string, Flag.Flag<ReadonlyArray<string>>> =>
  Object.fromEntries(
    Object.entries(table).map(([name, setting]) => {
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

/**
 * The values of a table, a flag before a variable before the default. Fails with
 * the first setting whose text cannot be read.
 */
export const values = Effect.fnUntraced(function* <T extends Table>(
  table: T,
  given: Given
): Effect.fn.Return<Values<T>, BadSetting> {
  const read: Record<string, unknown> = {}
  for (const [name, setting] of Object.entries(table)) {
    read[name] = yield* value(name, setting, given[name] ?? [])
  }
  return read as Values<T>
})

const value = Effect.fnUntraced(function* (
  name: string,
  setting: Setting<unknown>,
  given: ReadonlyArray<string>
): Effect.fn.Return<unknown, BadSetting> {
  const variable = yield* Effect.orDie(EnvConfig.option(EnvConfig.String(variableName(name))))
  const [source, texts] =
    given.length > 0
      ? [`--${flagName(name)}`, given.flatMap((text) => list(text, setting))]
      : [variableName(name), Option.isSome(variable) ? split(variable.value, setting) : []]
  if (texts.length === 0) return setting.default
  const values = yield* Effect.forEach(texts, (text) =>
    Effect.mapError(
      Effect.fromOption(setting.read(text)),
      () =>
        new BadSetting({
          setting: source,
          value: setting.isSecret ? "what was given" : `"${printable(text)}"`,
          expected: setting.expected
        })
    )
  )
  return setting.separator ? values : values.at(-1)
})

const split = (text: string, { separator }: Setting<unknown>): ReadonlyArray<string> =>
  separator ? text.split(separator).filter((part) => part !== "") : [text]

/** A flag's text as the values it lists, between commas. A secret may have commas in it. */
const list = (text: string, { separator, isSecret }: Setting<unknown>): ReadonlyArray<string> =>
  separator && !isSecret ? text.split(",") : [text]
