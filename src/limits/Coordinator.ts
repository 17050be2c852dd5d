/**
 * What servers count together that serve as one: sessions, rates, bandwidth,
 * quotas, failed logins and bans, and the passwords that were right.
 *
 * Each of these servers is a member, and one seat counts for all of them. Where
 * the seat is, only the layer of `Coordinator` knows: in this process, in the
 * primary, or behind another transport that carries the same messages.
 *
 * A member has a lease of what is counted and asks the seat when the lease is
 * used up. A message to another process for each session instead was measured:
 * it takes 0.2 ms, and of CPU at both ends together 250 us for a session on its
 * own, 40 us where eight begin at a time, 20 us with 32. A session from a lease
 * takes 0.8 us. All that a session takes is 400 us.
 *
 * A server alone is no member, and has nothing to lease: `SharedCounters.local`.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Remembered } from "../auth/RememberedLogins.ts"
import type * as BanReplica from "../bans/BanReplica.ts"
import type { Need, Share } from "./RateAllocator.ts"
import type { Token, Wish } from "./RateTokens.ts"
import type * as SessionIds from "./SessionIds.ts"
import type { Claim, Ruling } from "./SlotAllocator.ts"
import type { Moved, Sum } from "./UsageReplica.ts"

/** From a member to the seat. All messages are JSON. */
export type Report =
  /** The member will need more numbers for sessions soon. */
  { readonly _tag: "ids" } | Claim | Wish | Need | Moved | BanReplica.Report | Logins

/** From the seat to a member. */
export type News =
  | { readonly _tag: "ids"; readonly ids: SessionIds.Block }
  | Ruling
  | Token
  | Share
  | Sum
  | BanReplica.Judgement
  | Logins

/** Logins whose password was right. The hashes are keyed; no password is ever sent. */
export interface Logins {
  readonly _tag: "logins"
  readonly logins: ReadonlyArray<Remembered>
}

/** What a member begins with. */
export interface Welcome {
  /** How many members there are. */
  readonly count: number
  readonly ids: SessionIds.Block
  /** The name of all members to other proxies. */
  readonly pseudonym: string
  /** The key of the hashes that logins are remembered by. */
  readonly loginKey: string
  /** What is counted so far. */
  readonly news: ReadonlyArray<News>
}

export interface Membership {
  readonly welcome: Welcome
  readonly report: (report: Report) => void
  /** Calls `receive` with all news since the welcome, in order, from now on. */
  readonly follow: (receive: (news: News) => void) => void
}

export class Coordinator extends Context.Service<
  Coordinator,
  {
    /** Makes this server a member until the scope closes. What the member has leased is free then. */
    readonly join: Effect.Effect<Membership, never, Scope.Scope>
  }
>()("effect-socks/limits/Coordinator") {}
