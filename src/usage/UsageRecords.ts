/**
 * The service that records usage: bytes, sessions and time of each user and day.
 */
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { BanSettings } from "../bans/Settings.ts"
import { StateFailed, UsageStoreFailed, type UsageSummedUp } from "../Errors.ts"
import type { Amount } from "./Amount.ts"
import * as Days from "./Days.ts"
import type { Row } from "./PendingUsage.ts"
import { type StoreSetting, UsageSettings } from "./Settings.ts"
import type { Month, Query, Total, UsageRecord, UsageStore } from "./UsageStore.ts"
import * as UsageWriter from "./UsageWriter.ts"

/**
 * The recorded usage of users.
 *
 * **When to use**
 *
 * `read` has the usage of users by day, such as for an admin page. What sessions have moved is in it within a second.
 *
 * **Example** (The bytes of a user in a month)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { UsageRecords } from "effect-socks"
 *
 * const bytesOf = Effect.fnUntraced(function* (user: string) {
 *   const { read } = yield* UsageRecords
 *   const days = yield* read({ from: "2026-11-01", to: "2026-11-30", user })
 *   return days.reduce((bytes, { sent, received }) => bytes + sent + received, 0)
 * })
 * ```
 */
export class UsageRecords extends Context.Service<
  UsageRecords,
  {
    /** Whether usage is recorded. */
    readonly isOn: boolean
    /** Records usage of an account, such as `user alice`, at a time in milliseconds since the epoch. Never waits. */
    readonly add: (account: string, amount: Amount, now: number) => void
    /** Records rows that come from elsewhere. What has the same source and number is recorded once. */
    readonly adopt: (
      source: string,
      number: number,
      rows: ReadonlyArray<Row>
    ) => Effect.Effect<void, UsageStoreFailed>
    /** The bytes of these accounts, or of all accounts. */
    readonly totals: (
      month: Month,
      accounts?: ReadonlyArray<string>
    ) => Effect.Effect<ReadonlyArray<Total>, UsageStoreFailed>
    /**
     * The usage of users by day, the earliest day first; a month of which the store has the sum only is a record whose day
     * is `2026-08`. Fails if usage is not recorded, and where a part of such a month is asked for.
     */
    readonly read: (
      query: Query
    ) => Effect.Effect<ReadonlyArray<UsageRecord>, UsageStoreFailed | UsageSummedUp>
  }
>()("effect-socks/usage/UsageRecords") {
  /** Records to the store of the settings, if there is one. Fails if the store cannot be used. */
  static readonly layer: Layer.Layer<UsageRecords, StateFailed, UsageSettings | BanSettings> = Layer.effect(
    UsageRecords,
    Effect.gen(function* () {
      const store = yield* open
      return store === undefined ? off : yield* make(store, yield* UsageSettings)
    })
  )

  /** Records nothing. */
  static readonly layerOff: Layer.Layer<UsageRecords> = Layer.sync(UsageRecords, () => off)

  /** Fails if the store of the settings cannot be used. */
  static readonly check: Effect.Effect<void, StateFailed, UsageSettings | BanSettings> = Effect.gen(
    function* () {
      const place = locate(yield* UsageSettings, yield* BanSettings)
      if (place === undefined) return
      const { check } = yield* Effect.promise(() => import("./Stores.ts"))
      yield* Effect.mapError(check(place), toStateFailed)
    }
  )

  /** Records to this store, and keeps all by default. */
  static readonly layerOf = (store: UsageStore, times: Partial<Times> = {}): Layer.Layer<UsageRecords> =>
    Layer.effect(
      UsageRecords,
      make(store, { usageRollup: Duration.infinity, usageRetention: Duration.infinity, ...times })
    )
}

/** How long days are kept as such, and how long they are kept at all. */
type Times = Pick<UsageSettings["Service"], "usageRollup" | "usageRetention">

/** Whether the upkeep of the store is a matter of this server now. By default it always is. */
export const UsageUpkeep = Context.Reference<() => boolean>("effect-socks/usage/UsageUpkeep", {
  defaultValue: () => () => true
})

/** The file or the database of these settings; undefined if nothing is recorded. */
export const locate = (
  { usageStore }: Pick<UsageSettings["Service"], "usageStore">,
  { stateDir }: Pick<BanSettings["Service"], "stateDir">
): Exclude<StoreSetting, { readonly _tag: "auto" | "off" }> | undefined => {
  switch (usageStore._tag) {
    case "off":
      return undefined
    case "auto":
      return stateDir === undefined ? undefined : { _tag: "sqlite", path: join(stateDir, "usage.db") }
    default:
      return usageStore
  }
}

/** Opens the store of the settings until the scope closes; undefined if nothing is recorded. */
export const open: Effect.Effect<
  UsageStore | undefined,
  StateFailed,
  UsageSettings | BanSettings | Scope.Scope
> = Effect.gen(function* () {
  const settings = yield* UsageSettings
  const place = locate(settings, yield* BanSettings)
  if (place === undefined) return undefined
  const Stores = yield* Effect.promise(() => import("./Stores.ts"))
  if (settings.usageStore._tag === "auto" && !(yield* Stores.hasSqlite)) {
    yield* Effect.logWarning(
      "usage is not recorded: this Node has no SQLite (22.13 has), and the package libsql is not installed"
    )
    return undefined
  }
  return yield* Effect.mapError(Stores.open(place), toStateFailed)
})

const toStateFailed = ({ store, reason }: UsageStoreFailed) => new StateFailed({ path: store, reason })

const make = Effect.fnUntraced(function* (
  store: UsageStore,
  times: Times
): Effect.fn.Return<UsageRecords["Service"], never, Scope.Scope> {
  const { add, flush } = yield* UsageWriter.make(store)
  const isMine = yield* UsageUpkeep
  const due = Effect.when(upkeep(store, times), Effect.sync(isMine))
  // Not at the start, when a clock may be wrong, and would make all days old.
  yield* Effect.forkScoped(Effect.schedule(due, Schedule.spaced("1 hour")))
  return {
    isOn: true,
    add,
    adopt: (writer, number, rows) => store.write({ writer, number, rows }),
    totals: store.totals,
    read: (query) => Effect.andThen(flush, store.read(query))
  }
})

/**
 * Sums up the months that are old enough, and removes what is too old; but no day that a month of a quota may have. Where the
 * clocks of this machine and of the store differ, it goes by the one that is behind: one that is ahead makes nothing old.
 */
const upkeep = (store: UsageStore, { usageRollup, usageRetention }: Times): Effect.Effect<void> =>
  Effect.gen(function* () {
    const now = Math.min(yield* Clock.currentTimeMillis, yield* store.now)
    const dayBefore = (time: Duration.Duration) => {
      const before = now - Math.max(Duration.toMillis(time), longestMonth)
      return before > 0 ? Days.dayOf(before) : undefined
    }
    const rolled = dayBefore(usageRollup)
    if (rolled !== undefined) yield* store.rollUp(Days.monthStart(rolled, 1))
    const kept = dayBefore(usageRetention)
    if (kept !== undefined) yield* store.prune(kept)
  }).pipe(
    Effect.catch(({ message }) => Effect.logError(`old usage cannot be summed up or removed: ${message}`))
  )

const longestMonth = 32 * 86_400_000

const notRecorded = Effect.fail(
  new UsageStoreFailed({ store: "off", reason: "usage is not recorded; --state-dir or --usage-store does" })
)

const off: UsageRecords["Service"] = {
  isOn: false,
  add: () => {},
  adopt: () => Effect.void,
  totals: () => Effect.succeed([]),
  read: () => notRecorded
}
