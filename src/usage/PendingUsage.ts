/**
 * Usage that is not in the store yet, summed by day and account, so that it grows with the number of accounts and not
 * with time. The number is bounded: while the store is down, further accounts are lost, and counted as lost.
 */
import { type Amount, bytesOf } from "./Amount.ts"
import * as Days from "./Days.ts"

/** The usage of an account on a day. */
export interface Row {
  readonly day: string
  /** The key of the account, such as `user alice`. */
  readonly account: string
  readonly amount: Amount
}

export interface PendingUsage {
  /** Adds an amount at a time in milliseconds since the epoch. */
  readonly add: (account: string, amount: Amount, now: number) => void
  /** Takes all rows. */
  readonly take: () => ReadonlyArray<Row>
  /** The rows, without taking them. */
  readonly rows: () => ReadonlyArray<Row>
  readonly size: () => number
  /** The bytes that were lost since the last call. */
  readonly takeLost: () => number
}

/** At most `capacity` rows wait. */
export const make = (capacity: number): PendingUsage => {
  let days = new Map<string, Map<string, Sum>>()
  let size = 0
  let lost = 0
  let today = Number.NaN
  let day = ""

  const rows = (): ReadonlyArray<Row> =>
    [...days].flatMap(([day, accounts]) =>
      Array.from(accounts, ([account, amount]) => ({ day, account, amount }))
    )

  return {
    add: (account, amount, now) => {
      const date = Math.floor(now / 86_400_000)
      if (date !== today) {
        today = date
        day = Days.dayOf(now)
      }
      const accounts = days.get(day) ?? new Map<string, Sum>()
      days.set(day, accounts)
      const known = accounts.get(account)
      if (known) {
        // In place, as every open session is added a few times a second.
        known.sent += amount.sent
        known.received += amount.received
        known.sessions += amount.sessions
        known.duration += amount.duration
      } else if (size < capacity) {
        size++
        accounts.set(account, { ...amount })
      } else lost += bytesOf(amount)
    },
    take: () => {
      const taken = rows()
      days = new Map()
      size = 0
      return taken
    },
    rows,
    size: () => size,
    takeLost: () => {
      const bytes = lost
      lost = 0
      return bytes
    }
  }
}

type Sum = { -readonly [Key in keyof Amount]: Amount[Key] }
