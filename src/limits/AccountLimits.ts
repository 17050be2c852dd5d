/**
 * The limits of an account: concurrent sessions, new sessions a second, and quotas.
 */
import { type LimitError, SessionLimitReached, TooManyNewSessions } from "../Errors.ts"
import type { Account } from "./LimitKeys.ts"
import type { Quotas } from "./Quotas.ts"
import type { Refused, SharedCounters } from "./SharedCounters.ts"

export interface AccountLimits {
  /** Counts a session for all of these accounts, or for none of them if one account has reached a limit. `now` is in milliseconds since the epoch. */
  readonly enter: (accounts: ReadonlyArray<Account>, now: number) => Refused<LimitError> | undefined
  /** Counts the session no longer. */
  readonly leave: (accounts: ReadonlyArray<Account>) => void
}

export const make = (
  quotas: Quotas["Service"],
  { slots, rates }: Pick<SharedCounters, "slots" | "rates">
): AccountLimits => {
  const hasNoRoom = ({ whose, key, limits }: Account): Refused<LimitError> | undefined => {
    const { sessions: limit = Infinity } = limits
    if (limit === Infinity || slots.hasRoom(key, limit)) return undefined
    return { error: () => new SessionLimitReached({ whose, limit }), exhausted: { kind: "slot", key, limit } }
  }

  const isSpent = (account: Account, now: number): Refused<LimitError> | undefined => {
    const error = account.isSlowed ? undefined : quotas.exceeded(account, now)
    return error && { error: () => error }
  }

  const isTooFast = ({ whose, key, limits }: Account, now: number): Refused<LimitError> | undefined => {
    const { sessionRate: limit = Infinity } = limits
    const here = limit === Infinity ? 0 : rates.take(key, limit, now)
    if (here === 0) return undefined
    return {
      error: (wait) =>
        new TooManyNewSessions({ whose, limit, retryAfter: Math.ceil(Math.max(wait, here) / 1000) }),
      exhausted: { kind: "token", key, limit }
    }
  }

  return {
    enter: (accounts, now) => {
      // The rate comes last: asking for a token takes it.
      const refused =
        first(accounts, hasNoRoom) ??
        first(accounts, (account) => isSpent(account, now)) ??
        first(accounts, (account) => isTooFast(account, now))
      if (refused === undefined) for (const { key } of accounts) slots.change(key, 1)
      return refused
    },
    leave: (accounts) => {
      for (const { key } of accounts) slots.change(key, -1)
    }
  }
}

const first = <A, B>(all: ReadonlyArray<A>, find: (one: A) => B | undefined): B | undefined => {
  for (const one of all) {
    const found = find(one)
    if (found !== undefined) return found
  }
  return undefined
}
