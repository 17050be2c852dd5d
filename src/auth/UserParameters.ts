/**
 * Parameters in user names: with `session` and `country:de|fr` declared, `alice-session-42-country-de` logs in as
 * `alice`, and its sessions have the parameters `session` and `country`, which routes can go by.
 *
 *     NAME            1 to 64 letters, digits and underscores
 *     NAME:A|B        one of these words
 *     NAME:number     digits
 */
import * as Option from "effect/Option"

/** A parameter that user names may have. */
export interface UserParameter {
  readonly name: string
  /** Undefined for any word. */
  readonly values: "number" | ReadonlyArray<string> | undefined
}

/** Completes the sentence "… is not …". */
export const expected =
  "a parameter such as session, country:de|fr or slot:number, in letters, digits and underscores"

/** Parses one of the forms above. */
export const fromString = (text: string): Option.Option<UserParameter> => {
  const [, name, type] = /^([a-z]\w{0,31})(?::(\w{1,64}(?:\|\w{1,64})*))?$/i.exec(text) ?? []
  if (name === undefined) return Option.none()
  if (type === undefined || type === "number") return Option.some({ name, values: type })
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

const isValue = ({ values }: UserParameter, text: string): boolean => {
  if (values === undefined) return /^\w{1,64}$/.test(text)
  return values === "number" ? /^\d{1,15}$/.test(text) : values.includes(text)
}
