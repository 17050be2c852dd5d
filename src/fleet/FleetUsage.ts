/**
 * The usage that quotas count, of all machines together. What is used here is counted here at once, and told to the
 * store in batches, which tells what all machines have used.
 */
import * as Effect from "effect/Effect"
import type { FleetStoreFailed } from "../Errors.ts"
import * as Usage from "../limits/Usage.ts"
import { bytesOf } from "../usage/Amount.ts"
import * as Days from "../usage/Days.ts"
import { byBucket } from "./Batches.ts"
import { type FleetStore, run } from "./FleetStore.ts"
import { bucketOf, type Keys } from "./Keys.ts"
import { AddUsage } from "./scripts/AddUsage.ts"
import type { Batch, Row, Unsent, UsageJournal } from "./UsageJournal.ts"

export interface FleetUsage extends Usage.Usage {
  /** Tells the store what was used, and learns what others have used. To be called each second, and when `wake` says so. */
  readonly exchange: Effect.Effect<void, FleetStoreFailed>
  /** Number of bytes that the store does not have. */
  readonly unsentBytes: () => number
  /** Writes what the store does not have to the journal. */
  readonly save: Effect.Effect<void>
}

interface Options {
  readonly store: Pick<FleetStore["Service"], "call">
  readonly keys: Keys
  /** Names this run of a server among all machines, over all time. */
  readonly id: string
  readonly journal: UsageJournal
  /** The day of the month on which monthly quotas begin anew. */
  readonly resetDay: number
  /** The time of this machine, and that of the store as far as it is known, in milliseconds since the epoch. */
  readonly now: () => number
  readonly storeNow: () => number
  /**
   * How many times as much is counted of what the store does not have: the number of machines while the store is away,
   * so that all of them together stay within what was left, and 1 while the store answers.
   */
  readonly weight: () => number
  /** Whether quotas count as used up, as the store is away. */
  readonly denies: () => boolean
  /** Called when the store should be told at once. */
  readonly wake: () => void
}

/** Bytes of an account after which the store is told at once. */
const large = 2 ** 20

/** The most accounts of a batch, and of a call that only asks, and the most accounts and days that wait. */
const most = { batch: 2000, call: 200, waiting: 100_000 }

export const make = (inner: Usage.Usage, options: Options): FleetUsage => {
  const { store, keys, id, journal, resetDay, now, storeNow, weight, denies, wake } = options
  /** What the store has told last, of its present day and month. */
  const told = new Map<string, { readonly date: string; readonly day: number; readonly month: number }>()
  let toldMonth = ""
  /** Bytes that are in no batch yet, by account and day. */
  const waiting = new Map<string, Map<string, number>>()
  let size = 0
  let batch: Batch | undefined = journal.left.batch
  /** The bytes of the batch, by account. */
  let sent = sumsOf(batch)
  let number = 0
  /** Accounts of which the store was not asked yet. */
  const unknown = new Set<string>()
  /** Accounts whose usage here is another than members know. */
  let changed = new Set<string>()

  const put = (account: string, day: string, bytes: number) => {
    const days = waiting.get(account) ?? new Map<string, number>()
    if (!days.has(day)) {
      if (size >= most.waiting) return 0
      size++
    }
    waiting.set(account, days)
    const sum = (days.get(day) ?? 0) + bytes
    days.set(day, sum)
    return sum
  }
  for (const [account, day, bytes] of journal.left.rows) put(account, day, bytes)

  const rowsOf = (accounts: Iterable<readonly [string, ReadonlyMap<string, number>]>): ReadonlyArray<Row> =>
    Array.from(accounts, ([account, days]) =>
      Array.from(days, ([day, bytes]): Row => [account, day, bytes])
    ).flat()

  const unsent = (): Unsent => ({ batch, rows: rowsOf(waiting) })

  const unsentOf = (account: string): number => {
    let sum = sent.get(account) ?? 0
    for (const bytes of waiting.get(account)?.values() ?? []) sum += bytes
    return sum
  }

  /** The usage of an account, where the store may be away. */
  const weighed = (account: string, used: ReturnType<Usage.Usage["of"]>) => {
    const factor = weight()
    if (factor === 1) return used
    const more = (factor - 1) * unsentOf(account)
    if (more > 0) changed.add(account)
    return { day: used.day + more, month: used.month + more }
  }

  const cut = () => {
    const taken: Array<readonly [string, ReadonlyMap<string, number>]> = []
    for (const entry of waiting) {
      if (taken.length === most.batch) break
      taken.push(entry)
      waiting.delete(entry[0])
      size -= entry[1].size
    }
    batch = { run: id, number: ++number, rows: rowsOf(taken) }
    sent = sumsOf(batch)
  }

  /** Tells the store of accounts of one bucket, each with its rows of a batch; without rows it only asks, with the number 0. */
  const tell = Effect.fnUntraced(function* (
    accounts: ReadonlyArray<readonly [account: string, rows: ReadonlyArray<Row>]>,
    { run: of, number }: Pick<Batch, "run" | "number">
  ) {
    const date = Days.dayOf(storeNow())
    const month = Days.monthStart(date, resetDay)
    const argsOf = ([account, rows]: (typeof accounts)[number]) => {
      const known = told.get(account)
      const isSameMonth = known && Days.monthStart(known.date, resetDay) === month
      const own = unsentOf(account)
      const here = inner.of(account, now())
      return [
        ...[Math.max(0, here.day - own), Math.max(0, here.month - own)],
        ...[known?.date === date ? known.day : 0, isSameMonth ? known.month : 0, rows.length],
        ...rows.flatMap(([, day, bytes]) => [day, Days.monthStart(day, resetDay), bytes])
      ]
    }
    const sums = yield* run(
      store,
      AddUsage,
      [
        keys.ofBucket(`batches:${of}`, bucketOf(accounts[0]![0])),
        ...accounts.map(([account]) => keys.of("usage", account))
      ],
      [...[number, date, month, Days.dayOf(Date.parse(month) - 3 * 86_400_000)], ...accounts.flatMap(argsOf)]
    )
    for (const [index, [account]] of accounts.entries()) learn(account, date, sums[index]!)
  })

  /** Takes the usage of an account by all machines, on a day of the store. */
  const learn = (account: string, date: string, [day, month]: readonly [day: number, month: number]) => {
    unknown.delete(account)
    if (Days.dayOf(storeNow()) !== date) return
    if (Days.monthStart(date, resetDay) !== toldMonth) {
      // Of a month that is over nothing counts, and an account may be gone by now.
      toldMonth = Days.monthStart(date, resetDay)
      told.clear()
    }
    told.set(account, { date, day, month })
    // The day of this machine, whatever its clock says: what the store counts today is to hold here now.
    const before = inner.of(account, now())
    inner.raise({ date: Days.dayOf(now()), accounts: [{ name: account, day, month }] }, now())
    if (day > before.day || month > before.month) changed.add(account)
  }

  const send = (all: Batch) => {
    const accounts = new Map<string, Array<Row>>()
    for (const row of all.rows) accounts.set(row[0], [...(accounts.get(row[0]) ?? []), row])
    const asked = [...unknown].flatMap((account) => (accounts.has(account) ? [] : [[account, []] as const]))
    // One call for each bucket has the number, as the store knows by that whether it has all of the call.
    const calls = [
      ...byBucket(accounts, ([account]) => bucketOf(account), Infinity).map((some) => tell(some, all)),
      ...byBucket(asked, ([account]) => bucketOf(account), most.call).map((some) =>
        tell(some, { ...all, number: 0 })
      )
    ]
    return Effect.all(calls, { concurrency: "unbounded", discard: true })
  }

  const exchange = Effect.gen(function* () {
    const wasLeft = batch !== undefined
    if (batch === undefined && (waiting.size > 0 || unknown.size > 0)) cut()
    // Before it is sent, so that a batch that was sent and is in the journal has its number.
    yield* journal.save(unsent())
    if (batch === undefined) return
    const accounts = new Set(batch.rows.map(([account]) => account))
    yield* send(batch)
    batch = undefined
    sent = sumsOf(batch)
    for (const account of accounts) changed.add(account)
    if (wasLeft && waiting.size > 0) wake()
  })

  return {
    ...inner,
    add: (name, amount, at, isLimited = true) => {
      inner.add(name, amount, at, isLimited)
      if (!isLimited) return
      const bytes = bytesOf(amount)
      if (!told.has(name) && !unknown.has(name)) {
        unknown.add(name)
        wake()
      }
      if (bytes > 0 && put(name, Days.dayOf(storeNow()), bytes) >= large) wake()
    },
    of: (name, at) => (denies() ? Usage.spent : weighed(name, inner.of(name, at))),
    denies,
    snapshot: (at) => {
      const all = inner.snapshot(at)
      if (weight() === 1) return all
      return { ...all, accounts: all.accounts.map(({ name, ...used }) => ({ name, ...weighed(name, used) })) }
    },
    takeChanged: () => {
      const taken = changed
      changed = new Set()
      return taken
    },
    exchange,
    unsentBytes: () => {
      const { batch, rows } = unsent()
      return [...(batch?.rows ?? []), ...rows].reduce((sum, [, , bytes]) => sum + bytes, 0)
    },
    save: Effect.suspend(() => journal.save(unsent()))
  }
}

const sumsOf = (batch: Batch | undefined): ReadonlyMap<string, number> => {
  const sums = new Map<string, number>()
  for (const [account, , bytes] of batch?.rows ?? []) sums.set(account, (sums.get(account) ?? 0) + bytes)
  return sums
}
