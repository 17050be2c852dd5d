/**
 * What a condition of a rule is: how it is written, when it holds, and when it
 * holds wherever another does.
 */
import type * as DateTime from "effect/DateTime"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Target } from "../../wire/Target.ts"
import * as Schemas from "../Schemas.ts"

/** A request, as far as conditions ask. */
export interface Request {
  readonly identity: { readonly user: string | undefined; readonly groups?: ReadonlyArray<string> }
  /** Nothing for a client that came through the file system. */
  readonly client: NetAddress.IpAddress | undefined
  readonly listener: string
  readonly protocol: string
  readonly command: string
  /** Nothing while it is not known. */
  readonly target: Target | undefined
}

/** What else is known when a rule is asked. */
export interface Circumstances {
  /** The addresses that a connection to the target reaches; none while they are not known. */
  readonly addresses: ReadonlyArray<NetAddress.IpAddress>
  /** Milliseconds since the epoch. */
  readonly now: number
  /** The rule's own. */
  readonly timezone: DateTime.TimeZone | undefined
}

export interface Condition<A, Item extends Schema.Constraint> {
  /** One value. */
  readonly item: Item
  readonly description: string
  /** The same as `item` for values as long lists have them, only faster; nothing for any other. */
  readonly quick?: (written: unknown) => A | undefined
  /** As it could be written in a file. */
  readonly format: (value: A) => string
  /** Whether a request has the value; `maybe` while that cannot be told. */
  readonly holds: (value: A, request: Request, circumstances: Circumstances) => boolean | "maybe"
  /** Whether the one holds wherever the other does. */
  readonly includes: (one: A, other: A) => boolean
}

/** Declares a condition, and checks that its parts are about the same values. */
export const make = <A, Item extends Schema.Constraint & { readonly Type: A }>(
  condition: Condition<A, Item>
): Condition<A, Item> => condition

export const equal = <A>(one: A, other: A): boolean => one === other

/** A text that is not empty. */
export const quickText = (u: unknown): string | undefined =>
  typeof u === "string" && u !== "" ? u : undefined

/** A value written as a text, or as a number that is one. */
export const value = <A>(options: {
  readonly is: (u: unknown) => u is A
  readonly read: (text: string) => Option.Option<A>
  readonly write: (value: A) => string | number
  readonly expected: string
}) =>
  Schema.Union([Schema.String, Schema.Finite])
    .annotate({ description: options.expected })
    .pipe(Schema.decodeTo(Schema.declare(options.is), Schemas.between<A, string | number>(options)))

export const isObject = (u: unknown): boolean => typeof u === "object" && u !== null
