/**
 * What is wrong with a value that was read by a form, as the errors that an operator or the author of an app is told:
 * the same sentences for a config file and for the options of a program.
 */
import { BadFile, BadSetting, type Place } from "../Errors.ts"
import { printable } from "../wire/Text.ts"
import type { Problem } from "./SchemaErrors.ts"
import { nearest } from "./Suggest.ts"

/** What was found at the path of a problem. */
export interface Found {
  readonly value: unknown
  /** The value is that of a parent of the path, which ends there. */
  readonly isPart: boolean
  /** Where it is in the config file; left out for the options of a program. */
  readonly place?: Place
}

export const of = (
  { path, kind, isSecret }: Problem,
  { value, isPart, place }: Found
): BadFile | BadSetting => {
  const setting = nameOf(path)
  const bad = (reason: string, named = true) =>
    new BadFile({ ...(place && { at: place }), reason, ...(named && setting !== "" && { setting }) })
  switch (kind._tag) {
    case "Said":
      return bad(`${setting}: ${kind.message}`)
    case "Missing":
      return bad(`${setting} is missing`)
    case "Unknown": {
      const key = String(path.at(-1))
      const meant = nearest(key, kind.known)
      // A colon too many, and a secret is a key.
      const isShown = !isSecret || /^[\w-]*$/.test(key)
      return bad(
        `${isShown ? setting : "this"} is no setting${meant === undefined ? "" : `; did you mean ${meant}?`}`,
        isShown
      )
    }
    case "Wrong": {
      if (path.length === 0) return bad("this is no map of settings and their values")
      if (value === null && !isPart) {
        return bad(`${setting} has no value${path.length === 1 ? "; leave it out for its default" : ""}`)
      }
      return new BadSetting({
        setting,
        value: isSecret ? "what was given" : shown(value),
        expected: kind.expected,
        ...(place && { place })
      })
    }
  }
}

/** `listen[1].udp` */
export const nameOf = (path: Problem["path"]): string =>
  path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${printable(String(key))}`))
    .join("")
    .replace(/^\./, "")

const shown = (value: unknown): string => {
  if (typeof value === "string") return `"${printable(value)}"`
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "a map" : String(value)
}
