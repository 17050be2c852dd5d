/**
 * Bytes that accounts have used, by the calendar day and month in UTC.
 */

/** What one account has used so far. */
export interface Used {
  readonly day: number
  readonly month: number
}

/** All of it, as it is kept. */
export interface Snapshot {
  /** Which day it is: `2026-11-22`. */
  readonly date: string
  readonly accounts: ReadonlyArray<Used & { readonly name: string }>
}

/** Times are milliseconds since the epoch. */
export interface Usage {
  readonly add: (name: string, bytes: number, now: number) => void
  readonly of: (name: string, now: number) => Used
  readonly snapshot: (now: number) => Snapshot
  /** These have used that much at least, if it is still that day. */
  readonly raise: (to: Snapshot, now: number) => void
}

/** Goes on from what was kept, however long ago that was. */
export const make = (kept?: Snapshot): Usage => {
  let today = kept ? dayOf(Date.parse(kept.date)) : Number.NaN
  let date = kept?.date ?? ""
  let used = new Map<string, Used>(kept?.accounts.map(({ name, day, month }) => [name, { day, month }]))

  /** Begins another day, and month, where it is one: earlier ones too, if the clock was set back. */
  const turn = (now: number) => {
    if (dayOf(now) === today) return
    const before = date
    today = dayOf(now)
    date = new Date(now).toISOString().slice(0, 10)
    const isSameMonth = date.slice(0, 7) === before.slice(0, 7)
    used = new Map(isSameMonth ? Array.from(used, ([name, { month }]) => [name, { day: 0, month }]) : [])
  }

  return {
    add: (name, bytes, now) => {
      if (bytes === 0) return
      turn(now)
      const { day, month } = used.get(name) ?? nothing
      used.set(name, { day: day + bytes, month: month + bytes })
    },
    of: (name, now) => {
      turn(now)
      return used.get(name) ?? nothing
    },
    raise: ({ date: on, accounts }, now) => {
      turn(now)
      if (on !== date) return
      for (const { name, day, month } of accounts) {
        const { day: knownDay, month: knownMonth } = used.get(name) ?? nothing
        used.set(name, { day: Math.max(day, knownDay), month: Math.max(month, knownMonth) })
      }
    },
    snapshot: (now) => {
      turn(now)
      return { date, accounts: Array.from(used, ([name, { day, month }]) => ({ name, day, month })) }
    }
  }
}

/** When the day or month ends that it is now. */
export const endOf = (period: keyof Used, now: number): number => {
  const date = new Date(now)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  return period === "day" ? Date.UTC(year, month, date.getUTCDate() + 1) : Date.UTC(year, month + 1)
}

const nothing: Used = { day: 0, month: 0 }

const dayOf = (time: number): number => Math.floor(time / 86_400_000)
