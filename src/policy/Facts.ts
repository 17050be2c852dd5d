/**
 * What is true of an access, as the symbols of rules.
 */
import * as NetAddress from "effect/net/NetAddress"
import type * as Term from "../config/conditions/Term.ts"
import { ofRequest, ofTarget } from "../config/RuleTable.ts"
import type { SymbolIndex } from "../config/SymbolIndex.ts"
import type { Access } from "./Access.ts"
import * as EmbeddedIpv4 from "./EmbeddedIpv4.ts"

/** What is known of an access, and when. */
export interface Known {
  readonly access: Access
  /** Whether the address of the target is known. */
  readonly hasAddress: boolean
  /** The symbols of all that is true of the access, as far as it is known. */
  readonly facts: ReadonlyArray<number>
  /** The facts, and those of each IPv4 target that is reached through the address, which has it inside. */
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

/** For each condition of which some rule has a value that can be a fact. */
const finders = (conditions: typeof ofRequest, index: SymbolIndex): ReadonlyArray<Term.Facts> =>
  conditions.flatMap(([, { term }]) => ("facts" in term ? (term.facts(index) ?? []) : []))
