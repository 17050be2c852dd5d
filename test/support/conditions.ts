/**
 * Conditions of rules, asked one by one.
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import * as Conditions from "../../src/config/Conditions.ts"
import type { Condition } from "../../src/config/conditions/Condition.ts"
import type { Rule } from "../../src/config/Rule.ts"
import { type Asked, access, ip, steps } from "./rules.ts"

export interface Circumstances {
  readonly addresses?: ReadonlyArray<string>
  /** As ISO 8601 has it. */
  readonly now?: string
}

/** A condition with its values as they are written. */
export const written = <A>(condition: Condition<A, Schema.Constraint>) => {
  const read = Schema.decodeUnknownSync(condition.item as Schema.Decoder<A>)
  return {
    /** As a file would have it, after it was read. */
    formatted: (text: unknown) => condition.format(read(text)),
    isRead: (text: unknown) => {
      try {
        read(text)
        return true
      } catch {
        return false
      }
    },
    /** What the fast way makes of it, against the slow one. */
    quickly: (text: unknown) => {
      const value = condition.quick?.(text)
      return value === undefined ? undefined : condition.format(value)
    },
    /** What a rule with this condition alone says: true, false or `maybe`. Of several addresses, what holds for one. */
    holds: (
      text: unknown,
      asked: Asked,
      { addresses = [], now = "2024-01-01T00:00Z" }: Circumstances = {}
    ) => {
      const rule = {
        deny: true,
        [keyOf(condition)]: [read(text)],
        timezone: DateTime.zoneMakeNamedUnsafe("UTC")
      } as Rule
      const answers = (addresses.length === 0 ? [undefined] : addresses.map(ip)).map(
        (address) => steps([rule], access(asked), address, Date.parse(now))[0]!.matches
      )
      if (answers.includes("yes")) return true
      return answers.includes("maybe") ? "maybe" : false
    },
    includes: (one: unknown, other: unknown) => condition.includes(read(one), read(other))
  }
}

const keyOf = (condition: unknown): Conditions.Key =>
  Conditions.list.find(([, other]) => (other as unknown) === condition)![0]
