/**
 * Settings that only the start reads. A reload takes no other value for them, and warns.
 */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Setting from "./Setting.ts"

/** The settings of a table that only the start reads: few and small, so they can be kept as long as the server runs. */
export type Kept = Readonly<Record<string, unknown>>

export const keep = (table: Setting.Table, values: Readonly<Record<string, unknown>>): Kept =>
  Object.fromEntries(
    Object.entries(Setting.texts(table)).flatMap(([name, { isStartOnly }]) =>
      isStartOnly ? [[name, values[name]]] : []
    )
  )

/** Warns of settings that are no longer those of the start, by their names as `shown` writes them. */
export const warn = (
  kept: Kept,
  values: Readonly<Record<string, unknown>>,
  shown: (name: string) => string
): Effect.Effect<void> => {
  const settings = Object.keys(kept).filter((name) => !Equal.equals(kept[name], values[name]))
  return settings.length === 0
    ? Effect.void
    : Effect.logWarning("read at the start only: other values take a restart", {
        settings: settings.map(shown)
      })
}
