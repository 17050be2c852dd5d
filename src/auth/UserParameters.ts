/**
 * Parameters in user names: with `session` and `country:de|fr` declared, `alice-session-42-country-de` logs in as
 * `alice`, and its sessions have the parameters `session` and `country`, which routes can go by.
 *
 *     NAME            1 to 64 letters, digits and underscores
 *     NAME:A|B        one of these words
 *     NAME:number     digits
 *     NAME:ttl        a duration such as 10m, after which routes choose anew for the same session
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Parsers from "../config/Parsers.ts"

/** A parameter that user names may have. */
export interface UserParameter {
  readonly name: string
  /** Undefined for any word. */
  readonly values: "number" | "ttl" | ReadonlyArray<string> | undefined
}

/** Completes the sentence "… is not …". */
export const expected =
  "a parameter such as session, country:de|fr, slot:number or life:ttl, in letters, digits and underscores"

/** Parses one of the forms above. */
export const fromString = (text: string): Option.Option<UserParameter> => {
  const [, name, type] = /^([a-z]\w{0,31})(?::(\w{1,64}(?:\|\w{1,64})*))?$/i.exec(text) ?? []
  if (name === undefined) return Option.none()
  if (type === undefined || type === "number" || type === "ttl") return Option.some({ name, values: type })
  return Option.some({ name, values: type.split("|") })
}

/** The parameters of a session, by their names. */
export type Values = Readonly<Record<string, string>>

/** A user name without its parameters; or why it is refused. */
export type Read =
  | { readonly user: string; readonly parameters: Values }
  | { readonly refused: "undeclared parameter" | "invalid parameter" }

/**
 * Takes the parameters off the end of a user name. A name that has a declared parameter may have no undeclared ones
 * behind that.
 */
export const read = (declared: ReadonlyArray<UserParameter>, text: string): Read => {
  const known = new Map(declared.map((each) => [each.name, each]))
  const parts = text.split("-")
  const first = parts.findIndex((part, index) => index > 0 && known.has(part))
  if (first === -1) return { user: text, parameters: {} }
  const found: Record<string, string> = {}
  for (let at = first; at < parts.length; at += 2) {
    const [name = "", value = ""] = parts.slice(at, at + 2)
    const parameter = known.get(name)
    if (parameter === undefined) return { refused: "undeclared parameter" }
    if (!isValue(parameter, value) || Object.hasOwn(found, name)) return { refused: "invalid parameter" }
    found[name] = value
  }
  return { user: parts.slice(0, first).join("-"), parameters: found }
}

/** Whether a parameter may have this value. */
export const isValue = ({ values }: UserParameter, text: string): boolean => {
  if (values === undefined) return /^\w{1,64}$/.test(text)
  if (values === "ttl") return ttlOf(text) !== undefined
  return values === "number" ? /^\d{1,15}$/.test(text) : values.includes(text)
}

/** The milliseconds of a `ttl`: a whole number of seconds, minutes, hours or days, up to 30 days. */
export const ttlOf = (text: string): number | undefined => {
  const duration = /^\d{1,9}[smhd]$/.test(text) ? Parsers.duration(text) : Option.none()
  const millis = Option.isSome(duration) ? Duration.toMillis(duration.value) : 0
  return millis > 0 && millis <= longest ? millis : undefined
}

const longest = 30 * 86_400_000

/** The sentence's end about parameters that cannot be declared together; undefined if they can. */
export const conflict = (
  declared: ReadonlyArray<UserParameter>
): { readonly value: string; readonly expected: string } | undefined => {
  const taken = declared.find(({ name }) => name === "user" || name === "client")
  if (taken !== undefined) return { value: `"${taken.name}"`, expected: "a name other than user and client" }
  const again = declared.find(({ name }, index) => declared.findIndex((other) => other.name === name) < index)
  if (again !== undefined) return { value: `"${again.name}"`, expected: "the only parameter of its name" }
  const [, second] = declared.filter(({ values }) => values === "ttl")
  return second && { value: `"${second.name}:ttl"`, expected: "possible beside another ttl" }
}
