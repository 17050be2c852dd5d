/**
 * Who is let in, and what for: each session holds what it takes from the limits,
 * and gives it back however it ends.
 */
import * as Duration from "effect/Duration"
import type { Values } from "../config/Config.ts"
import { type LimitError, SessionLimitReached, TooManySessions } from "../Errors.ts"
import type { Ending } from "../network/Relay.ts"
import { ownerOf } from "../phases/Dialect.ts"
import type { Decision } from "../policy/Decision.ts"
import * as Accounts from "./Accounts.ts"
import type { Counting, Refused } from "./Counting.ts"
import * as Ledger from "./Ledger.ts"
import { isQuota, type Quotas } from "./Quotas.ts"
import type { Session } from "./Session.ts"

/** All at once: nothing can come between a question and what is done about its answer. */
export interface Admission {
  /** Lets a session in, or tells why not. `free` is how many descriptors are left. */
  readonly admit: (session: Session, config: Values, free: number, now: number) => Refused | undefined
  /** Counts one that was let in for the rule, too, that let it through, or tells why not. */
  readonly allot: (session: Session, decision: Decision, now: number) => Refused<LimitError> | undefined
  /** Takes back what it got, if it was let in, and says whether it was. */
  readonly dismiss: (session: Session, now: number) => boolean
  /** Charges all of them for what they have moved, and finds those that have had what they may. */
  readonly sweep: (now: number) => ReadonlyArray<readonly [Session, Ending]>
  /** Descriptors that all of them use, beside their connections' own. */
  readonly descriptors: () => number
}

/** What a session has got. */
interface Hold {
  /** Descriptors, beside its connection's own. */
  readonly takes: number
  readonly accounts: Array<Accounts.Account>
  /** Milliseconds since the epoch. */
  endsAt: number
  /** Bytes that its accounts were charged for. */
  charged: number
  /** Its session ends when it has had what it may; most have all they want, and are not looked at. */
  isBounded: boolean
}

/** `budget` is how many descriptors there are. */
export const make = (quotas: Quotas["Service"], counting: Counting, budget: number): Admission => {
  const ledger = Ledger.make(quotas, counting)
  const { places } = counting
  const holds = new Map<Session, Hold>()
  let descriptors = 0

  /** Why there is no room for it, whoever it is of, or whose it is as one that uses UDP. */
  const refusal = (
    session: Session,
    takes: number,
    { maxSessions, udpAssociations }: Values,
    free: number
  ): Refused | undefined => {
    const limit = maxSessions === "auto" ? Math.floor(budget / 2) : maxSessions
    const error = () => new TooManySessions({ limit })
    if (takes > free) return { error }
    if (maxSessions === "auto") {
      if (holds.size >= limit) return { error }
    } else if (!places.hasRoom(all, limit)) return { error, lack: { of: "place", key: all, limit } }
    if (!isAssociation(session) || udpAssociations === "off") return undefined
    const { whose } = ownerOf(session)
    const key = associationsOf(session)
    return places.hasRoom(key, udpAssociations)
      ? undefined
      : {
          error: () => new SessionLimitReached({ whose, limit: udpAssociations }),
          lack: { of: "place", key, limit: udpAssociations }
        }
  }

  /** Everything that it counts for, whoever's it is. */
  const count = (session: Session, by: 1 | -1) => {
    places.change(all, by)
    if (isAssociation(session)) places.change(associationsOf(session), by)
  }

  const charge = ({ traffic }: Session, hold: Hold, now: number) => {
    const moved = traffic.sent + traffic.received
    for (const account of hold.accounts) quotas.charge(account, moved - hold.charged, now)
    hold.charged = moved
  }

  return {
    admit: (session, config, free, now) => {
      // A target's connection; or the relay port and a socket per family.
      const takes = isAssociation(session) ? 3 : 1
      const accounts = Accounts.ofClient(session, config)
      const refused = refusal(session, takes, config, free) ?? ledger.enter(accounts, now)
      if (refused) return refused
      const endsAt = Math.min(
        endOf(session, config.maxLifetime),
        endOf(session, session.identity?.limits?.lifetime)
      )
      holds.set(session, {
        takes,
        accounts: [...accounts],
        endsAt,
        charged: 0,
        isBounded: isBounded(accounts, endsAt)
      })
      descriptors += takes
      count(session, 1)
      return undefined
    },
    allot: (session, decision, now) => {
      const hold = holds.get(session)
      if (hold === undefined) return undefined
      const accounts = Accounts.ofRule(decision)
      const refused = ledger.enter(accounts, now)
      if (refused) return refused
      hold.accounts.push(...accounts)
      hold.endsAt = Math.min(hold.endsAt, endOf(session, decision.limits?.lifetime))
      hold.isBounded = isBounded(hold.accounts, hold.endsAt)
      return undefined
    },
    dismiss: (session, now) => {
      const hold = holds.get(session)
      if (hold === undefined) return false
      charge(session, hold, now)
      holds.delete(session)
      ledger.leave(hold.accounts)
      descriptors -= hold.takes
      count(session, -1)
      return true
    },
    sweep: (now) => {
      for (const [session, hold] of holds) if (hold.isBounded) charge(session, hold, now)
      const spent: Array<readonly [Session, Ending]> = []
      for (const [session, { accounts, endsAt, isBounded }] of holds) {
        if (!isBounded) continue
        if (now >= endsAt) spent.push([session, "lifetime"])
        else if (accounts.some((account) => quotas.exceeded(account, now))) spent.push([session, "quota"])
      }
      return spent
    },
    descriptors: () => descriptors
  }
}

/** The key of all sessions together. */
const all = "all"

const associationsOf = (session: Session): string => `UDP of ${ownerOf(session).key}`

const isBounded = (accounts: ReadonlyArray<Accounts.Account>, endsAt: number): boolean =>
  endsAt < Infinity || accounts.some(({ limits }) => isQuota(limits))

const isAssociation = ({ request }: Session): boolean => request?.command === "ASSOCIATE"

const endOf = ({ startedAt }: Session, lifetime: Duration.Duration = Duration.infinity): number =>
  startedAt + Duration.toMillis(lifetime)
