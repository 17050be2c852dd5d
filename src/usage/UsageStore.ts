/**
 * The store of usage: bytes, sessions and time by account and day. A store is a database (`SqlStore`), or in memory for
 * tests.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type UsageStoreFailed, UsageSummedUp } from "../Errors.ts"
import { type Amount, bytesOf, fromKey, type Kind, nothing, sum } from "./Amount.ts"
import * as Days from "./Days.ts"
import type { Row } from "./PendingUsage.ts"

/** Rows that are written together, or not at all. */
export interface Batch {
  /** The process that writes: a random name. */
  readonly writer: string
  /** Counts the batches of the writer up from 1. A batch that was written already is not written again. */
  readonly number: number
  readonly rows: ReadonlyArray<Row>
}

/** The days of a report, both included, such as `2026-11-01`; and the user, if it is about one. */
export interface Query {
  readonly from: string
  readonly to: string
  readonly user?: string | undefined
}

/** The usage of a user on a day. */
export interface UsageRecord extends Amount {
  /** Such as `2026-11-22`, in UTC; or `2026-11`, where the days of a month were summed up. */
  readonly day: string
  /** The name of the user; undefined for all sessions without a user. */
  readonly user: string | undefined
}

/** The bytes of an account. */
export interface Total {
  /** The key of the account, such as `user alice`. */
  readonly account: string
  /** Bytes on the day. */
  readonly day: number
  /** Bytes from `since` to `until`. */
  readonly month: number
}

/** The day of totals, and the first and the last day of its month. */
export interface Month {
  readonly day: string
  readonly since: string
  readonly until: string
}

export interface UsageStore {
  /** The name of the store for people, without a password. */
  readonly name: string
  /** Milliseconds since the epoch by the clock of the store, which is that of this machine if the store has none. */
  readonly now: Effect.Effect<number, UsageStoreFailed>
  readonly write: (batch: Batch) => Effect.Effect<void, UsageStoreFailed>
  /** The bytes of these accounts, or of all accounts. */
  readonly totals: (
    month: Month,
    accounts?: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<Total>, UsageStoreFailed>
  /**
   * The usage of users by day, the earliest day first, with months that were summed up. Fails where only a part of such a
   * month is asked for.
   */
  readonly read: (query: Query) => Effect.Effect<ReadonlyArray<UsageRecord>, UsageStoreFailed | UsageSummedUp>
  /** Sums up the months before this day, which is the first of a month. Several servers may do so at once. */
  readonly rollUp: (before: string) => Effect.Effect<void, UsageStoreFailed>
  /** Removes the days before this one, and the months before its month. */
  readonly prune: (before: string) => Effect.Effect<void, UsageStoreFailed>
}

/** The records of a query. Fails where the query has a part of a month that was summed up. */
export const answer = (
  { from, to }: Query,
  records: ReadonlyArray<UsageRecord>
): Effect.Effect<ReadonlyArray<UsageRecord>, UsageSummedUp> => {
  const { first, last } = Days.wholeMonths(from, to)
  const part = records.find(({ day }) => Days.isMonth(day) && (day < first || day > last))
  return part === undefined ? Effect.succeed(records) : Effect.fail(new UsageSummedUp({ month: part.day }))
}

/** Whether usage of this day, or of a month that was summed up, is from one day to another: at least a part of it. */
const isWithin = (day: string, from: string, to: string): boolean =>
  day <= to && day >= (Days.isMonth(day) ? Days.monthOf(from) : from)

/** A store in memory, for tests. */
export const makeMemory = (): UsageStore => {
  const batches = new Map<string, number>()
  let rows: Array<{ day: string; account: string; kind: Kind; name: string; amount: Amount }> = []

  const add = ({ day, account, amount }: Row) => {
    const known = rows.find((row) => row.day === day && row.account === account)
    if (known) known.amount = sum(known.amount, amount)
    else rows.push({ day, account, amount, ...fromKey(account) })
  }

  return {
    name: "memory",
    now: Clock.currentTimeMillis,
    write: ({ writer, number, rows }) =>
      Effect.sync(() => {
        if ((batches.get(writer) ?? 0) >= number) return
        batches.set(writer, number)
        rows.forEach(add)
      }),
    totals: ({ day, since, until }, accounts) =>
      Effect.sync(() => {
        const all = new Map<string, Amount & { today: number }>()
        for (const row of rows) {
          if (!isWithin(row.day, since, until) || accounts?.includes(row.account) === false) continue
          const before = all.get(row.account) ?? { ...nothing, today: 0 }
          const today = before.today + (row.day === day ? bytesOf(row.amount) : 0)
          all.set(row.account, { ...sum(before, row.amount), today })
        }
        return Array.from(all, ([account, { today, ...month }]) => ({
          account,
          day: today,
          month: bytesOf(month)
        }))
      }),
    read: (query) =>
      Effect.suspend(() => {
        const { from, to, user } = query
        const found = rows
          .filter(
            ({ day, kind, name }) =>
              kind !== "rule" &&
              isWithin(day, from, to) &&
              (user === undefined || (kind === "user" && name === user))
          )
          .sort((one, other) => compare(one.day, other.day) || compare(one.name, other.name))
          .map(({ day, kind, name, amount }) => ({
            day,
            user: kind === "anonymous" ? undefined : name,
            ...amount
          }))
        return answer(query, found)
      }),
    rollUp: (before) =>
      Effect.sync(() => {
        const old = rows.filter(({ day }) => !Days.isMonth(day) && day < before)
        rows = rows.filter((row) => !old.includes(row))
        for (const row of old) add({ ...row, day: Days.monthOf(row.day) })
      }),
    prune: (before) =>
      Effect.sync(() => {
        rows = rows.filter(({ day }) => day >= (Days.isMonth(day) ? Days.monthOf(before) : before))
      })
  }
}

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0)
