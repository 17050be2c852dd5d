/**
 * The facts about an access: the symbols of all rule values that are true for the access.
 */
import * as NetAddress from "effect/net/NetAddress"
import type * as Term from "../config/conditions/Term.ts"
import { ofRequest, ofTarget } from "../config/RuleTable.ts"
import type { SymbolIndex } from "../config/SymbolIndex.ts"
import type { Access } from "./Access.ts"
import * as EmbeddedIpv4 from "./EmbeddedIpv4.ts"

/** An access with its facts. */
export interface Known {
  readonly access: Access
  /** Whether the address of the target is known. */
  readonly hasAddress: boolean
  /** The symbols that are true for the access, as far as the access is known. */
  readonly facts: ReadonlyArray<number>
  /** The facts, with the facts of the IPv4 addresses that are embedded in the target's address. */
  readonly reached: ReadonlyArray<number>
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** `address` is one of the target's; undefined while it is not known. */
export type Facts = (access: Access, address: NetAddress.IpAddress | undefined, now: number) => Known

export const make = (index: SymbolIndex): Facts => {
  const aboutTarget = finders(ofTarget, index)
  const all = [...finders(ofRequest, index), ...aboutTarget]

  const reached = (access: Access, address: NetAddress.IpAddress, facts: ReadonlyArray<number>) => {
    const { target } = access
    const inside = target === undefined ? [] : EmbeddedIpv4.within(address)
    if (target === undefined || inside.length === 0) return facts
    const found = [...facts]
    for (const host of inside) {
      const through = { ...access, target: { host, port: target.port } }
      for (const find of aboutTarget) find(through, host, found)
    }
    return found
  }

  return (access, address, now) => {
    const { target } = access
    const where = address ?? (typeof target?.host === "string" ? undefined : target?.host)
    const facts: Array<number> = []
    for (let i = 0; i < all.length; i++) all[i]!(access, where, facts)
    return {
      access,
      hasAddress: where !== undefined,
      facts,
      reached: NetAddress.isIpv6Address(where) ? reached(access, where, facts) : facts,
      now
    }
  }
}

/** The functions that find facts, of the conditions that occur in rules. */
const finders = (conditions: typeof ofRequest, index: SymbolIndex): ReadonlyArray<Term.Facts> =>
  conditions.flatMap(([, { term }]) => ("facts" in term ? (term.facts(index) ?? []) : []))
