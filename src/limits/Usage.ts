/**
 * Bytes that accounts have used, by the day and the month in UTC. Months begin on the day on which quotas do.
 */
import { type Amount, bytesOf } from "../usage/Amount.ts"
import * as Days from "../usage/Days.ts"

/** The bytes that an account has used. */
interface Used {
  readonly day: number
  readonly month: number
}

/** The usage of a day, and of its month up to the day. */
interface Day {
  /** The date, such as `2026-11-22`. */
  readonly date: string
  readonly accounts: ReadonlyArray<Used & { readonly name: string }>
}

/** All usage, as it is kept in a file. */
export interface Snapshot extends Day {
  /** Days that are not today by the clock, which may be wrong: see `make`. */
  readonly others?: ReadonlyArray<Day>
}

/** Times are milliseconds since the epoch. */
export interface Usage {
  /** Adds an amount. `isLimited`: a quota counts it. */
  readonly add: (name: string, amount: Amount, now: number, isLimited?: boolean) => void
  readonly of: (name: string, now: number) => Used
  readonly snapshot: (now: number) => Snapshot
  /** Raises the usage of these accounts to at least these numbers, on days that still count. */
  readonly raise: (to: Snapshot, now: number) => void
  /** Sets the usage of these accounts today. */
  readonly set: (to: Day, now: number) => void
  /** The end of the current day or month, in milliseconds since the epoch. */
  readonly endOf: (period: keyof Used, now: number) => number
  /** Whether the usage of every owner of a session is recorded, and not only that of accounts with quotas. */
  readonly isRecorded: boolean
  /** Where several machines count together: the accounts whose usage others have changed since the last call. */
  readonly takeChanged?: () => ReadonlySet<string>
  /** Where several machines count together: whether all quotas count as used up for now. */
  readonly denies?: () => boolean
}

/** Number of past days that are kept, the last ones. A clock is not wrong more often. */
const mostPast = 4

/**
 * Usage that begins with `kept`, however old that is. Months begin on the `resetDay`th.
 *
 * A clock may be wrong for a while: it begins in 1970, or is set to another year
 * by mistake. So a day that is yet to come is kept until it comes, and the day
 * that a leap of the clock leaves behind is kept too, since the clock may come back.
 */
export const make = (kept?: Snapshot, resetDay = 1): Usage => {
  const monthOf = (date: string) => Days.monthStart(date, resetDay)
  type Ledger = Map<string, Used>
  let today = Number.NaN
  let date = ""
  let used: Ledger = new Map()
  /** By their date. */
  const others = new Map<string, Ledger>()

  if (kept) {
    for (const { date, accounts } of kept.others ?? []) others.set(date, ledgerOf(accounts))
    date = kept.date
    used = ledgerOf(kept.accounts)
    today = dayOf(Date.parse(date))
  }

  /** Begins another day, and another month, if the clock has reached one. */
  const turn = (now: number) => {
    if (dayOf(now) === today) return
    const isNextDay = dayOf(now) === today + 1
    if (date !== "" && !isNextDay) others.set(date, used)
    const next = Days.dayOf(now)
    const before = [...others, [date, used] as const].filter(([date]) => monthOf(date) === monthOf(next))
    const known = others.get(next)
    others.delete(next)
    used = new Map(known)
    // Usage of a month counts, whatever day of the month the clock was on.
    for (const [name, { month }] of before.flatMap(([, ledger]) => [...ledger])) {
      const { day, month: least } = used.get(name) ?? nothing
      used.set(name, { day, month: Math.max(month, least) })
    }
    today = dayOf(now)
    date = next
    const past = [...others.keys()].filter((other) => other < date)
    for (const other of past.slice(0, -mostPast)) others.delete(other)
  }

  return {
    isRecorded: false,
    endOf: (period, now) =>
      period === "day"
        ? (dayOf(now) + 1) * dayLength
        : Date.parse(Days.nextMonthStart(Days.dayOf(now), resetDay)),
    add: (name, amount, now) => {
      const bytes = bytesOf(amount)
      if (bytes === 0) return
      turn(now)
      const { day, month } = used.get(name) ?? nothing
      used.set(name, { day: day + bytes, month: month + bytes })
    },
    of: (name, now) => {
      turn(now)
      return used.get(name) ?? nothing
    },
    raise: ({ others: more = [], ...first }, now) => {
      turn(now)
      for (const { date: on, accounts } of [...more, first]) {
        // A day that is over changes no more.
        if (on < date && !others.has(on)) continue
        const ledger = on === date ? used : (others.get(on) ?? new Map<string, Used>())
        if (on !== date) others.set(on, ledger)
        for (const { name, day, month } of accounts) {
          const { day: knownDay, month: knownMonth } = ledger.get(name) ?? nothing
          ledger.set(name, { day: Math.max(day, knownDay), month: Math.max(month, knownMonth) })
        }
      }
    },
    set: ({ date: on, accounts }, now) => {
      turn(now)
      if (on !== date) return
      for (const { name, day, month } of accounts) used.set(name, { day, month })
    },
    snapshot: (now) => {
      turn(now)
      const kept = Array.from(others, ([date, ledger]) => ({ date, accounts: accountsOf(ledger) }))
      return { date, accounts: accountsOf(used), ...(kept.length > 0 && { others: kept }) }
    }
  }
}

const ledgerOf = (accounts: Day["accounts"]) =>
  new Map(accounts.map(({ name, day, month }): [string, Used] => [name, { day, month }]))

const accountsOf = (ledger: ReadonlyMap<string, Used>): Day["accounts"] =>
  Array.from(ledger, ([name, { day, month }]) => ({ name, day, month }))

const nothing: Used = { day: 0, month: 0 }

/** More than any quota. */
export const spent: Used = { day: Number.MAX_SAFE_INTEGER, month: Number.MAX_SAFE_INTEGER }

const dayLength = 86_400_000

const dayOf = (time: number): number => Math.floor(time / dayLength)
