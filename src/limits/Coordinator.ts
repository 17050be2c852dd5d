/**
 * The service by which several servers count together: sessions, rates, bandwidth,
 * quotas, failed logins and bans, and remembered logins.
 *
 * Each of these servers is a member, and one seat counts for all of them. Where
 * the seat is, only the layer of `Coordinator` knows: in this process, in the
 * primary, or behind another transport that carries the same messages.
 *
 * A member takes sessions from a lease and asks the seat when the lease is used
 * up. A message for each session to another process was measured instead: it takes
 * 0.2 ms, and of CPU at both ends together 250 us for a session on its own, 40 us
 * where eight begin at a time, 20 us with 32. A session from a lease takes 0.8 us.
 * All that a session takes is 400 us.
 *
 * A server alone is no member: it uses the state that a seat would keep, without
 * messages (`SharedCounters.local`, `Quotas.layer`, `Bans.layer`). As the only
 * member of a seat in the same process, it was measured to need more of everything,
 * as all state is there twice. CPU time to open, admit and close a session: 5 us
 * either way from a lease that is there; for a client without one, 5 us alone and
 * 14 us as a member; with a limit on new sessions a second, 7.5 us and 10.5 us. A
 * failed login: 35 us and 82 us. With full tables of failed logins, 9 MiB more.
 *
 * **When to use**
 *
 * A server is a member where `CoordinatorMember.layer` is provided to it, and below that a layer of `Coordinator`.
 *
 * **Example** (A member)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { type Coordinator, CoordinatorMember, Server } from "effect-socks"
 *
 * const memberOf = (coordinator: Layer.Layer<Coordinator.Coordinator>) =>
 *   Server.layer({ maxSessions: 1000 }).pipe(
 *     Layer.provide(CoordinatorMember.layer),
 *     Layer.provide(coordinator)
 *   )
 * ```
 *
 * Another transport to a seat is a layer of `Coordinator`, with `join` to connect
 * to the seat. At the seat's end, in a process with `CoordinatorSeat.layer`, each
 * connection is a member: `enter` when it begins, `receive` for each message,
 * `remove` when it ends. `CoordinatorSeat.layerLocal` is the shortest of these, and
 * `workers/IpcCoordinator` with `workers/MessageRouter` is the one of a pool.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Remembered } from "../auth/RememberedLogins.ts"
import type * as BanReplica from "../bans/BanReplica.ts"
import type { Checked, Checker } from "../routes/CheckSharing.ts"
import type { Share, ShareRequest } from "./RateAllocator.ts"
import type { TokenAnswer, TokenRequest } from "./RateTokens.ts"
import type * as SessionIds from "./SessionIds.ts"
import type { Claim, Ruling } from "./SlotAllocator.ts"
import type { UsageReport, UsageUpdate } from "./UsageReplica.ts"

/** A message from a member to the seat. All messages are JSON. */
export type Report =
  /** Asks for another block of numbers for sessions, before the one in use ends. */
  | { readonly _tag: "ids" }
  | Claim
  | TokenRequest
  | ShareRequest
  | UsageReport
  | BanReplica.Report
  | Logins
  | Checked

/** A message from the seat to a member. */
export type News =
  | { readonly _tag: "ids"; readonly ids: SessionIds.Block }
  | Ruling
  /**
   * Free slots may be used until then, by the milliseconds of the machine's monotonic clock, or always where `at` is
   * null: a seat that leases them itself may have lost them later, while a process stood still.
   */
  | { readonly _tag: "until"; readonly at: number | null }
  | TokenAnswer
  | Share
  | UsageUpdate
  | BanReplica.Judgement
  | Logins
  | Checked
  | Checker

/** Logins whose password was right. The hashes are keyed; no password is ever sent. */
export interface Logins {
  readonly _tag: "logins"
  readonly logins: ReadonlyArray<Remembered>
}

/** What a member begins with: the seat's first message to it, as JSON. */
export interface Welcome {
  /** The number of members. Each does an equal part of what is not counted together. */
  readonly count: number
  readonly ids: SessionIds.Block
  /** Whether the seat records the usage of every owner of a session, and not only that of accounts with quotas. */
  readonly isUsageRecorded: boolean
  /** The day of the month on which monthly quotas begin anew. */
  readonly quotaResetDay: number
  /** The name of all members to other proxies (`Via`, RFC 9110 §7.6.3). */
  readonly pseudonym: string
  /**
   * The key of the hashes that logins are remembered by, in Base64. A secret: who has it can try passwords by the
   * hashes.
   */
  readonly loginKey: string
  /** All that is counted so far. */
  readonly news: ReadonlyArray<News>
}

/** A member's connection to the seat. */
export interface Membership {
  readonly welcome: Welcome
  /** Sends a message to the seat. Never blocks and never fails; messages arrive in this order, each once. */
  readonly report: (report: Report) => void
  /**
   * Calls `receive` with every message of the seat since the welcome, in order, from now on: never within a call of
   * `report`, which may have changed only half of what it is about.
   */
  readonly follow: (receive: (news: News) => void) => void
}

export class Coordinator extends Context.Service<
  Coordinator,
  {
    /**
     * Makes this server a member until the scope closes, when the seat takes back what the member has leased. Waits for
     * the seat. A seat that is lost later leaves its members with what they have leased and no answer to a request, so
     * the transport ends the server then, as a worker ends with its primary.
     */
    readonly join: Effect.Effect<Membership, never, Scope.Scope>
  }
>()("effect-socks/limits/Coordinator") {}
