/**
 * What comes of judging an access.
 */

import type * as NetAddress from "effect/net/NetAddress"
import type { Limits } from "../config/Limits.ts"
import type { Access } from "./Access.ts"

export interface Decision {
  /** `undecided`: it takes an address, or a target, to tell. Never said of an access that has both. */
  readonly verdict: "allow" | "deny" | "undecided"
  /** What decided it: the name of a rule, or of what else there is. */
  readonly rule: string
  /** Why, for the log and for the client. */
  readonly reason?: string
  /** It would be denied, were that not only to be reported. */
  readonly isReport?: true
  /** What the rule that allows it has for limits. */
  readonly limits?: Limits
}

/** At a time in milliseconds since the epoch. `address` is one of the target's, never an IPv4 address in IPv6 form; left out while it is not known. */
export type Judge = (access: Access, address: NetAddress.IpAddress | undefined, now: number) => Decision
