/**
 * Conditions of rules, asked one by one.
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import type { Condition, Request } from "../../src/config/conditions/Condition.ts"
import { type Asked, access, ip } from "./rules.ts"

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
    holds: (text: unknown, asked: Asked, { addresses = [], now = "2024-01-01T00:00Z" }: Circumstances = {}) =>
      condition.holds(read(text), access(asked) as Request, {
        addresses: addresses.map(ip),
        now: Date.parse(now),
        timezone: DateTime.zoneMakeNamedUnsafe("UTC")
      }),
    includes: (one: unknown, other: unknown) => condition.includes(read(one), read(other))
  }
}
