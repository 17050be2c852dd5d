/**
 * Labels of members, such as `country=de`: a session with the parameter `country` in its user name gets a member with this
 * label only.
 */
import * as Option from "effect/Option"
import type { Access } from "../policy/Access.ts"
import * as SessionKey from "./SessionKey.ts"

/** A label: the name of a parameter, and a value of it. */
export type Label = readonly [name: string, value: string]

export type Labels = ReadonlyMap<string, string>

/** Completes the sentence "… is not …". */
export const expected = "a label such as country=de, in letters, digits and underscores"

/** Parses `NAME=VALUE`. */
export const fromString = (text: string): Option.Option<Label> => {
  const [, name, value] = /^([a-z]\w{0,31})=(\w{1,64})$/i.exec(text) ?? []
  return name === undefined || value === undefined ? Option.none() : Option.some([name, value])
}

/** The labels that a session wants, of those that members have. */
export const wantedBy = (
  who: Pick<Access, "identity" | "client">,
  names: ReadonlyArray<string>
): ReadonlyArray<Label> =>
  names.flatMap((name) => {
    const value = SessionKey.valueOf(who, name)
    return value === undefined ? [] : [[name, value] as const]
  })

export const isMet = (labels: Labels, wanted: ReadonlyArray<Label>): boolean =>
  wanted.every(([name, value]) => labels.get(name) === value)

/** Labels as they are written. */
export const format = (labels: Iterable<Label>): string =>
  Array.from(labels, ([name, value]) => `${name}=${value}`).join(" ")
