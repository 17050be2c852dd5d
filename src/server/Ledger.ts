/**
 * What accounts have: sessions at once, new ones, and bytes.
 */
import { type LimitError, SessionLimitReached, TooManyNewSessions } from "../Errors.ts"
import * as Counts from "../policy/Counts.ts"
import * as Rates from "../policy/Rates.ts"
import type { Account } from "./Accounts.ts"
import type { Quotas } from "./Quotas.ts"

export interface Ledger {
  /** Counts a session for all of these accounts; or for none of them, if one has no room. */
  readonly enter: (accounts: ReadonlyArray<Account>, now: number) => LimitError | undefined
  readonly leave: (accounts: ReadonlyArray<Account>) => void
}

export const make = (quotas: Quotas["Service"]): Ledger => {
  const sessions = Counts.make()
  const rates = Rates.make()

  const hasNoRoom = ({ whose, key, limits }: Account) => {
    const { sessions: limit = Infinity } = limits
    return sessions.of(key) >= limit ? new SessionLimitReached({ whose, limit }) : undefined
  }

  const isTooFast = ({ whose, key, limits }: Account, now: number) => {
    const { sessionRate: limit = Infinity } = limits
    const wait = limit === Infinity ? 0 : rates.take(key, limit, now)
    return wait > 0 ? new TooManyNewSessions({ whose, limit, retryAfter: Math.ceil(wait / 1000) }) : undefined
  }

  return {
    enter: (accounts, now) => {
      // Last what costs something to ask.
      const error =
        first(accounts, hasNoRoom) ??
        first(accounts, (account) => quotas.exceeded(account, now)) ??
        first(accounts, (account) => isTooFast(account, now))
      if (error === undefined) for (const { key } of accounts) sessions.change(key, 1)
      return error
    },
    leave: (accounts) => {
      for (const { key } of accounts) sessions.change(key, -1)
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
