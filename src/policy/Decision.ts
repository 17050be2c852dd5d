/**
 * The decision about an access, and the functions that make it.
 */

import type * as NetAddress from "effect/net/NetAddress"
import type { Limits } from "../config/Limits.ts"
import type { Access } from "./Access.ts"

/** The verdict of a policy about an access, and the rule that decided. */
export interface Decision {
  /** `undecided`: the decision depends on a target, or its address, that is not known. Never if both are known. */
  readonly verdict: "allow" | "deny" | "undecided"
  /** The name of the rule that decided, or of the guard. */
  readonly rule: string
  /** Why, for the log and for the client. */
  readonly reason?: string
  /** Set if the access would be denied without the setting `reportOnly`. */
  readonly isReport?: true
  /** The limits of the rule that allows it. */
  readonly limits?: Limits
  /**
   * The route that the rule names; left out for the default route. A denial has `deny` if the rule denies by its route.
   * While the decision is undecided, that of the first rule that matches at every address: its name servers find the
   * addresses.
   */
  readonly route?: string
}

/**
 * At a time in milliseconds since the epoch. `address` is one of the target's, never an IPv4 address in IPv6 form; left
 * out while it is not known.
 */
export type Judge = (access: Access, address: NetAddress.IpAddress | undefined, now: number) => Decision
