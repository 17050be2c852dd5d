/**
 * Updates of the decisions on bans, as plain data: what one process sends to the replicas of the others.
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import * as Parsers from "../config/Parsers.ts"
import type { Ban } from "./BanList.ts"
import type { Pair } from "./KnownPairs.ts"
import type { Attempt, Entry } from "./LoginThrottle.ts"

/** The outcome of a login attempt: refused without a check of the password, a wrong password, or the right one. */
export type Outcome = "refused" | "failed" | "succeeded"

/** A change, as it is sent to a replica. */
export type Update =
  | ({ readonly _tag: "guess"; readonly outcome: Outcome } & Attempt)
  /** The key of the hashes of names and passwords. The first update. */
  | { readonly _tag: "key"; readonly key: string }
  | ({ readonly _tag: "known" } & Pair)
  | { readonly _tag: "tally"; readonly entry: Entry }
  | BanUpdate
  | { readonly _tag: "lift"; readonly network: string; readonly now: number }

type BanUpdate = { readonly _tag: "ban"; readonly network: string } & Omit<Ban, "network">

export const ofBan = ({ network, until, reason, failures }: Ban): Update => ({
  _tag: "ban",
  network: IpNetwork.format(network),
  until,
  reason,
  failures
})

export const banOf = ({ network, until, reason, failures }: BanUpdate): Ban => ({
  network: networkOf(network),
  until,
  reason,
  failures
})

/** The network of an update. */
export const networkOf = (text: string): IpNetwork.IpNetwork => Option.getOrThrow(Parsers.network(text))
