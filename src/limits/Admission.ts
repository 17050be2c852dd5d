/**
 * Admission of sessions: each session holds what it takes from the limits, and
 * gives it back however it ends.
 */
import * as Duration from "effect/Duration"
import { type LimitError, SessionLimitReached, TooManySessions } from "../Errors.ts"
import type { Ending, Traffic } from "../network/Relay.ts"
import * as AccountLimits from "./AccountLimits.ts"
import { type Account, type Limited, ofClient, ownerOf } from "./LimitKeys.ts"
import { isQuota, type Quotas } from "./Quotas.ts"
import type { LimitSettings } from "./Settings.ts"
import type { Refused, SharedCounters } from "./SharedCounters.ts"

/** Every call is synchronous, so that nothing changes between the check of a limit and the count. Times are milliseconds since the epoch. */
export interface Admission<Session extends Limited> {
  /** Counts a session, or returns why it is refused. `free` is the number of descriptors left. */
  readonly admit: (
    session: Session,
    settings: LimitSettings["Service"],
    free: number,
    now: number
  ) => Refused | undefined
  /** Counts an admitted session for a rule that it uses, too, or returns why not. `traffic` is what is charged to the rule's quotas. */
  readonly chargeRule: (
    session: Session,
    rule: Account,
    traffic: Traffic,
    now: number
  ) => Refused<LimitError> | undefined
  /** Ends one use of a rule by a session. After the last use the session no longer counts for the rule. */
  readonly giveBack: (session: Session, rule: Account, now: number) => void
  /** Gives back all that a session holds. Returns whether the session had been admitted. */
  readonly release: (session: object, now: number) => boolean
  /** Charges all sessions for the bytes that they moved, and returns those that have used up a quota or their lifetime. */
  readonly sweep: (now: number) => ReadonlyArray<readonly [Session, Ending]>
  /** Number of descriptors of all sessions, without those of the clients' connections. */
  readonly descriptors: () => number
  /** The limit of sessions in all. */
  readonly limit: (settings: LimitSettings["Service"]) => number
  /** Number of sessions, and of associations among them. */
  readonly count: () => { readonly sessions: number; readonly associations: number }
}

/** What a session holds of the limits. */
interface Reservation<Session> {
  readonly session: Session
  /** Number of descriptors, without that of the client's connection. */
  readonly descriptors: number
  readonly accounts: ReadonlyArray<Account>
  /** Milliseconds since the epoch. */
  readonly endsAt: number
  /** Bytes that were charged to the accounts. */
  charged: number
  /** What the session holds of rules, by the key of the rule's account. Undefined for most sessions. */
  shares: Map<string, Share> | undefined
  /** Whether a quota or a lifetime can end the session. `sweep` skips the others, which are most. */
  isBounded: boolean
}

/** What a session holds of a rule. */
interface Share {
  account: Account
  /** The bytes that are charged to the rule. */
  readonly traffic: Traffic
  readonly endsAt: number
  charged: number
  /** Number of uses under way. */
  uses: number
}

/** `budget` is the number of descriptors for connections. */
export const make = <Session extends Limited>(
  quotas: Quotas["Service"],
  counting: SharedCounters,
  budget: number
): Admission<Session> => {
  const accountLimits = AccountLimits.make(quotas, counting)
  const { slots } = counting
  const reservations = new Map<object, Reservation<Session>>()
  let descriptors = 0
  let associations = 0

  const limitOf = ({ maxSessions }: LimitSettings["Service"]) =>
    maxSessions === "auto" ? Math.floor(budget / 2) : maxSessions

  /** Checks the descriptors, the global session limit, and the owner's limit of UDP associations. */
  const refusal = (
    session: Session,
    ownDescriptors: number,
    settings: LimitSettings["Service"],
    free: number
  ): Refused | undefined => {
    const { maxSessions, udpAssociations } = settings
    const limit = limitOf(settings)
    const error = () => new TooManySessions({ limit })
    if (ownDescriptors > free) return { error }
    // Counted with the clients' connections. A quarter of the descriptors is kept for CONNECT.
    if (isAssociation(session) && (associations + 1) * (ownDescriptors + 1) > budget * 0.75) return { error }
    if (maxSessions === "auto") {
      if (reservations.size >= limit) return { error }
    } else if (!slots.hasRoom(all, limit)) return { error, exhausted: { kind: "slot", key: all, limit } }
    if (!isAssociation(session) || udpAssociations === "off") return undefined
    const { whose } = ownerOf(session.admitted)
    const key = associationsOf(session)
    return slots.hasRoom(key, udpAssociations)
      ? undefined
      : {
          error: () => new SessionLimitReached({ whose, limit: udpAssociations }),
          exhausted: { kind: "slot", key, limit: udpAssociations }
        }
  }

  /** Counts a session for the global limits. */
  const count = (session: Session, by: 1 | -1) => {
    slots.change(all, by)
    if (!isAssociation(session)) return
    associations += by
    slots.change(associationsOf(session), by)
  }

  const chargeTo = (
    accounts: ReadonlyArray<Account>,
    on: { charged: number },
    traffic: Traffic,
    now: number
  ) => {
    const moved = traffic.sent + traffic.received
    for (const account of accounts) quotas.charge(account, moved - on.charged, now)
    on.charged = moved
  }

  const charge = (reservation: Reservation<Session>, now: number) => {
    chargeTo(reservation.accounts, reservation, reservation.session.traffic, now)
    for (const share of sharesOf(reservation)) chargeTo([share.account], share, share.traffic, now)
  }

  const endingOf = ({ accounts, endsAt, shares }: Reservation<Session>, now: number): Ending | undefined => {
    const rules = shares === undefined ? [] : [...shares.values()]
    if (now >= endsAt || rules.some((share) => now >= share.endsAt)) return "lifetime"
    const isSpent = (account: Account) => quotas.exceeded(account, now) !== undefined
    return accounts.some(isSpent) || rules.some(({ account }) => isSpent(account)) ? "quota" : undefined
  }

  return {
    admit: (session, settings, free, now) => {
      // A target's connection; or the relay port and a socket per family.
      const ownDescriptors = isAssociation(session) ? 3 : 1
      const accounts = ofClient(session, settings)
      const refused = refusal(session, ownDescriptors, settings, free) ?? accountLimits.enter(accounts, now)
      if (refused) return refused
      const endsAt = Math.min(
        endOf(session, settings.maxLifetime),
        endOf(session, session.admitted.identity.limits?.lifetime)
      )
      reservations.set(session, {
        session,
        descriptors: ownDescriptors,
        accounts,
        endsAt,
        charged: 0,
        shares: undefined,
        isBounded: isBounded(accounts, endsAt)
      })
      descriptors += ownDescriptors
      count(session, 1)
      return undefined
    },
    chargeRule: (session, account, traffic, now) => {
      const reservation = reservations.get(session)
      if (reservation === undefined) return undefined
      const share = reservation.shares?.get(account.key)
      if (share) {
        share.uses++
        share.account = account
        return undefined
      }
      const refused = accountLimits.enter([account], now)
      if (refused) return refused
      // An association may have been there for long before it uses a rule.
      const since = isAssociation(session) ? now : session.startedAt
      const endsAt = since + millisOf(account.limits.lifetime)
      reservation.shares ??= new Map()
      reservation.shares.set(account.key, {
        account,
        traffic,
        endsAt,
        charged: traffic.sent + traffic.received,
        uses: 1
      })
      reservation.isBounded ||= isBounded([account], endsAt)
      return undefined
    },
    giveBack: (session, { key }, now) => {
      const share = reservations.get(session)?.shares?.get(key)
      if (share === undefined || --share.uses > 0) return
      chargeTo([share.account], share, share.traffic, now)
      accountLimits.leave([share.account])
      reservations.get(session)?.shares?.delete(key)
    },
    release: (session, now) => {
      const reservation = reservations.get(session)
      if (reservation === undefined) return false
      charge(reservation, now)
      reservations.delete(session)
      accountLimits.leave([
        ...reservation.accounts,
        ...Array.from(sharesOf(reservation), ({ account }) => account)
      ])
      descriptors -= reservation.descriptors
      count(reservation.session, -1)
      return true
    },
    sweep: (now) => {
      for (const reservation of reservations.values()) if (reservation.isBounded) charge(reservation, now)
      const spent: Array<readonly [Session, Ending]> = []
      for (const reservation of reservations.values()) {
        const ending = reservation.isBounded ? endingOf(reservation, now) : undefined
        if (ending) spent.push([reservation.session, ending])
      }
      return spent
    },
    descriptors: () => descriptors,
    limit: limitOf,
    count: () => ({ sessions: reservations.size, associations })
  }
}

/** The key of all sessions together. */
const all = "all"

const associationsOf = ({ admitted }: Limited): string => `UDP of ${ownerOf(admitted).key}`

const sharesOf = ({ shares }: Reservation<unknown>): Iterable<Share> => shares?.values() ?? []

const isBounded = (accounts: ReadonlyArray<Account>, endsAt: number): boolean =>
  endsAt < Infinity || accounts.some(({ limits }) => isQuota(limits))

const isAssociation = ({ admitted }: Limited): boolean => admitted.request.command === "ASSOCIATE"

const endOf = ({ startedAt }: Limited, lifetime?: Duration.Duration): number => startedAt + millisOf(lifetime)

const millisOf = (lifetime: Duration.Duration = Duration.infinity): number => Duration.toMillis(lifetime)
