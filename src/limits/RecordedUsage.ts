/**
 * Usage that is recorded in the store of usage, and taken from there at the start.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { StateFailed, type UsageStoreFailed } from "../Errors.ts"
import * as Days from "../usage/Days.ts"
import { UsageRecords } from "../usage/UsageRecords.ts"
import * as Usage from "./Usage.ts"

/**
 * Usage that begins with what the store has, and adds to it. What other servers add to the same store is learnt for the
 * accounts that are in use here, each few seconds. While the store fails, all that was counted here goes on to count.
 */
export const make = Effect.fnUntraced(function* (
  resetDay: number
): Effect.fn.Return<Usage.Usage, StateFailed, UsageRecords | Scope.Scope> {
  const records = yield* UsageRecords
  const usage = Usage.make(undefined, resetDay)
  let inUse = new Set<string>()
  let loaded = ""

  const load = Effect.fnUntraced(function* (accounts?: ReadonlyArray<string>) {
    const now = yield* Clock.currentTimeMillis
    const day = Days.dayOf(now)
    const totals = yield* records.totals(monthOf(day, resetDay), accounts)
    usage.raise(
      { date: day, accounts: totals.map(({ account, ...used }) => ({ name: account, ...used })) },
      now
    )
    if (accounts === undefined) loaded = day
  })

  /** All usage after midnight or a leap of the clock, which may begin another month, and else that of accounts in use. */
  const refresh = Effect.gen(function* () {
    if (Days.dayOf(yield* Clock.currentTimeMillis) !== loaded) return yield* load()
    const accounts = [...inUse]
    inUse = new Set()
    if (accounts.length > 0) yield* load(accounts)
  }).pipe(
    // The writer of the store logs its failures.
    Effect.ignore
  )

  yield* Effect.mapError(load(), toStateFailed)
  yield* Effect.forkScoped(Effect.schedule(refresh, Schedule.spaced("5 seconds")))
  return {
    ...usage,
    isRecorded: true,
    add: (name, amount, now, isLimited = true) => {
      usage.add(name, amount, now)
      records.add(name, amount, now)
      if (isLimited) inUse.add(name)
    }
  }
})

const monthOf = (day: string, resetDay: number) => ({
  day,
  since: Days.monthStart(day, resetDay),
  until: Days.dayOf(Date.parse(Days.nextMonthStart(day, resetDay)) - 1)
})

const toStateFailed = ({ store, reason }: UsageStoreFailed) => new StateFailed({ path: store, reason })
