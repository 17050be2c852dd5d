/**
 * Admission of sessions: each session holds what it takes from the limits, and
 * gives it back however it ends.
 */
import { LiveSet } from "../base/LiveSet.ts"
import type { LimitError } from "../Errors.ts"
import type { Ending, Traffic } from "../network/Relay.ts"
import * as AccountLimits from "./AccountLimits.ts"
import { type Account, type Limited, ofClient } from "./LimitKeys.ts"
import type { Quotas } from "./Quotas.ts"
import { type Holder, Reservation } from "./Reservation.ts"
import { ServerLimits } from "./ServerLimits.ts"
import type { LimitSettings } from "./Settings.ts"
import type { Refused, SharedCounters } from "./SharedCounters.ts"

/** `budget` is the number of descriptors for connections. */
export const make = <Session extends Limited & Holder>(
  quotas: Quotas["Service"],
  counting: SharedCounters,
  budget: number
): Admission<Session> => new Admission(quotas, counting, budget)

/** Every call is synchronous, so that nothing changes between the check of a limit and the count. Times are milliseconds since the epoch. */
export class Admission<Session extends Limited & Holder> {
  private readonly reservations = new LiveSet<Reservation<Session>>()
  private readonly quotas: Quotas["Service"]
  private readonly accountLimits: AccountLimits.AccountLimits
  private readonly serverLimits: ServerLimits

  constructor(quotas: Quotas["Service"], counting: SharedCounters, budget: number) {
    this.quotas = quotas
    this.accountLimits = AccountLimits.make(quotas, counting)
    this.serverLimits = new ServerLimits(counting.slots, budget)
  }

  /** Counts a session, or returns why it is refused. `free` is the number of descriptors left. */
  admit(
    session: Session,
    settings: LimitSettings["Service"],
    free: number,
    now: number
  ): Refused | undefined {
    const accounts = ofClient(session, settings)
    const refused =
      this.serverLimits.refusal(session, settings, free) ?? this.accountLimits.enter(accounts, now)
    if (refused) return refused
    const reservation = new Reservation(session, accounts, settings.maxLifetime)
    reservation.place = this.reservations.add(reservation)
    session.reservation = reservation
    this.serverLimits.count(session, 1)
    return undefined
  }

  /** Counts an admitted session for a rule that it uses, too, or returns why not. `traffic` is what is charged to the rule's quotas. */
  chargeRule(
    session: Session,
    rule: Account,
    traffic: Traffic,
    now: number
  ): Refused<LimitError> | undefined {
    const { reservation } = session
    if (reservation === undefined || reservation.useAgain(rule)) return undefined
    const refused = this.accountLimits.enter([rule], now)
    if (refused === undefined) reservation.use(rule, traffic, now)
    return refused
  }

  /** Ends one use of a rule by a session. After the last use the session no longer counts for the rule. */
  giveBack(session: Session, { key }: Account, now: number): void {
    const accounts = session.reservation?.endUse(key, this.quotas, now)
    if (accounts) this.accountLimits.leave(accounts)
  }

  /** Gives back all that a session holds. Returns whether the session had been admitted. */
  release(session: Holder, now: number): boolean {
    const { reservation } = session
    if (reservation === undefined) return false
    reservation.chargeAll(this.quotas, now)
    this.reservations.delete(reservation, reservation.place)
    session.reservation = undefined
    this.accountLimits.leave(reservation.allAccounts())
    this.serverLimits.count(reservation.session, -1)
    return true
  }

  /** Charges all sessions for the bytes that they moved, and returns those that have used up a quota or their lifetime. */
  sweep(now: number): ReadonlyArray<readonly [Session, Ending]> {
    for (const reservation of this.reservations) {
      if (reservation.canEnd || this.quotas.isRecorded) reservation.chargeAll(this.quotas, now)
    }
    const spent: Array<readonly [Session, Ending]> = []
    for (const reservation of this.reservations) {
      const ending = reservation.canEnd ? reservation.ending(this.quotas, now) : undefined
      if (ending) spent.push([reservation.session, ending])
    }
    return spent
  }

  /** Number of descriptors of all sessions, without those of the clients' connections. */
  descriptors(): number {
    return this.serverLimits.descriptors
  }

  /** The limit of sessions in all. */
  limit(settings: LimitSettings["Service"]): number {
    return this.serverLimits.limit(settings)
  }

  /** Number of sessions, and of associations among them. */
  count(): { readonly sessions: number; readonly associations: number } {
    const { sessions, associations } = this.serverLimits
    return { sessions, associations }
  }
}
