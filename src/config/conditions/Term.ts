/**
 * How the values of a condition are stored and evaluated in a table of very many rules. A value is one integer; equal
 * values have the same integer. In a `FactTerm` the integer is a symbol, and a condition holds if the request has
 * one of its symbols. In a `TestTerm` a function tests each integer.
 */
import type * as DateTime from "effect/DateTime"
import type * as NetAddress from "effect/net/NetAddress"
import type { Target } from "../../wire/Target.ts"
import { absent, type RuleSymbols } from "../RuleSymbols.ts"
import type { SymbolIndex } from "../SymbolIndex.ts"

/** The properties of a request that conditions use. `policy/Access` has them. */
export interface Request {
  readonly identity: { readonly user: string | undefined; readonly groups?: ReadonlyArray<string> }
  /** Undefined for a client of a Unix-domain socket. */
  readonly client: NetAddress.IpAddress | undefined
  readonly listener: string
  readonly protocol: string
  readonly command: string
  /** Undefined while the target is not known. */
  readonly target: Target | undefined
}

interface Encoding<A> {
  /** Whether the condition needs the target, or only the rest of the request. */
  readonly about: "request" | "target"
  /** The integer of a value. `timezone` is that of the rule. */
  readonly numberOf: (
    value: A,
    symbols: RuleSymbols,
    rule: { readonly timezone?: DateTime.TimeZone }
  ) => number
  readonly valueOf: (number: number, symbols: RuleSymbols) => A
  /** Whether these values together hold for every request, also for one with an unknown target. */
  readonly isAlways?: (values: ReadonlyArray<A>) => boolean
}

/**
 * Appends the symbols of all that is true of a request. `address` is the address of the target; undefined while the
 * target's name is not resolved, or where there is no target.
 */
export type Facts = (
  request: Request,
  address: NetAddress.IpAddress | undefined,
  found: Array<number>
) => void

/** A condition that holds if one of its symbols is among the facts. Rules are indexed by such conditions. */
interface FactTerm<A> extends Encoding<A> {
  /** Undefined if no rule has a symbol that can be found. */
  readonly facts: (index: SymbolIndex) => Facts | undefined
  /**
   * Whether a symbol is a fact only once the target's address is known. If such a symbol has networks, the symbol is a
   * fact for exactly the addresses in them. Left out: no symbol depends on the address.
   */
  readonly isByAddress?: (number: number, symbols: RuleSymbols) => boolean
}

/** Whether the value holds, at a time in milliseconds since the epoch. */
export type Test = (number: number, request: Request, now: number) => boolean

/** A condition that holds if one of its values passes a test. One about the target depends on its port only. */
interface TestTerm<A> extends Encoding<A> {
  readonly test: (symbols: RuleSymbols) => Test
}

export type Term<A> = FactTerm<A> | TestTerm<A>

/** Names of one kind, of which a request has one, several or none. */
export const names = <A extends string>(options: {
  /** The kind of the symbols, which no other condition has. */
  readonly kind: string
  /** The name or names of a request. */
  readonly of: (request: Request) => string | ReadonlyArray<string> | undefined
  /** Converts a value to the name in a request, and back, if they differ. */
  readonly toRequest?: (value: A) => string
  readonly fromRequest?: (name: string) => A
}): FactTerm<A> => {
  const { kind, of, toRequest = String, fromRequest = (name) => name as A } = options
  return {
    about: "request",
    numberOf: (value, symbols) => symbols.intern(kind, toRequest(value)),
    valueOf: (number, symbols) => fromRequest(symbols.textOf(number)),
    facts: (index) => {
      const symbols = index.of(kind)
      if (symbols === undefined) return undefined
      const add = (name: string, found: Array<number>) => {
        const number = symbols.find(name)
        if (number !== absent) found.push(number)
      }
      return (request, _, found) => {
        const names = of(request)
        if (names === undefined) return
        if (typeof names === "string") add(names, found)
        else for (const name of names) add(name, found)
      }
    }
  }
}
