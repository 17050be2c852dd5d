/**
 * The declaration of a condition of rules: its schema, its evaluation, and what `check` needs. A condition is one
 * file in this directory and one line in `config/Conditions.ts`; all other code uses that list.
 */
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Schemas from "../Schemas.ts"
import type { Term } from "./Term.ts"

export interface Condition<A, Item extends Schema.Constraint> {
  /** The schema of one value. */
  readonly item: Item
  readonly description: string
  /** Reads the usual values of long lists faster than `item`; undefined for other values, which `item` reads. */
  readonly quick?: (written: unknown) => A | undefined
  /** The text of a value in a config file, for `explain`. */
  readonly format: (value: A) => string
  /** How the condition is kept and judged. */
  readonly term: Term<A>
  /**
   * Whether the first value holds for every request for which the second holds. With this, `check` finds rules that
   * never match.
   */
  readonly includes: (one: A, other: A) => boolean
  /** Whether a condition with these values holds for no request, which `check` warns about. Left out: never. */
  readonly isNever?: (values: ReadonlyArray<A>) => boolean
  /** For values that are names of users or groups: a rule with a name that does not exist is refused. */
  readonly existing?: { readonly among: "users" | "groups"; readonly expected: string }
}

/** Declares a condition, and checks that its parts are about the same values. */
export const make = <A, Item extends Schema.Constraint & { readonly Type: A }>(
  condition: Condition<A, Item>
): Condition<A, Item> => condition

export const equal = <A>(one: A, other: A): boolean => one === other

/** A text that is not empty. */
export const quickText = (u: unknown): string | undefined =>
  typeof u === "string" && u !== "" ? u : undefined

/** A value written as a text, or as a number that is read as its text. */
export const value = <A>(options: {
  readonly read: (text: string) => Option.Option<A>
  readonly expected: string
}): Schema.Decoder<A> =>
  Schemas.value(
    Schema.Union([Schema.String, Schema.Finite]).annotate({ description: options.expected }),
    options
  )
