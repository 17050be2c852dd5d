/**
 * A report of usage: records, summed by day, by user, or by both.
 */
import { type Amount, bytesOf, nothing, sum } from "./Amount.ts"
import type { UsageRecord } from "./UsageStore.ts"

export const groupings = ["day", "user", "both"] as const

export type Grouping = (typeof groupings)[number]

/** A line of a report. */
export interface Line extends Amount {
  /** Undefined in a report by user. */
  readonly day?: string
  /** Undefined in a report by day of all users; null for all sessions without a user. */
  readonly user?: string | null
}

export interface Report {
  readonly from: string
  readonly to: string
  readonly lines: ReadonlyArray<Line>
  readonly total: Amount
}

/** Sums the records. Lines by user begin with the user of most bytes, other lines with the earliest day. */
export const make = (
  records: ReadonlyArray<UsageRecord>,
  {
    from,
    to,
    by,
    user
  }: Pick<Report, "from" | "to"> & { readonly by: Grouping; readonly user?: string | undefined }
): Report => {
  const lines = new Map<string, Line>()
  for (const { day, user: name = null, ...amount } of records) {
    const key = [by === "user" ? "" : day, by === "day" ? "" : JSON.stringify(name)].join(" ")
    const line = {
      ...(by === "user" ? {} : { day }),
      ...(by === "day" && user === undefined ? {} : { user: name })
    }
    lines.set(key, { ...line, ...sum(lines.get(key) ?? nothing, amount) })
  }
  const all = [...lines.values()]
  if (by === "user") all.sort((one, other) => bytesOf(other) - bytesOf(one))
  return { from, to, lines: all, total: all.reduce<Amount>(sum, nothing) }
}
