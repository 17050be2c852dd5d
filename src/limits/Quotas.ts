/**
 * Quotas: the bytes that an account may transfer in a day and in a month (UTC).
 * Usage is taken from the store of usage, where there is one, and else from a file of the state directory.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { AuthSettings } from "../auth/Settings.ts"
import { BanSettings } from "../bans/Settings.ts"
import * as StateFile from "../base/StateFile.ts"
import type { Limits } from "../config/Limits.ts"
import { limitsOf } from "../config/RuleTable.ts"
import { QuotaExceeded, type StateFailed } from "../Errors.ts"
import { PolicySettings } from "../policy/Settings.ts"
import { type Amount, anonymous } from "../usage/Amount.ts"
import { UsageSettings } from "../usage/Settings.ts"
import { locate, UsageRecords } from "../usage/UsageRecords.ts"
import type { Account } from "./LimitKeys.ts"
import * as QuotasFile from "./QuotasFile.ts"
import * as RecordedUsage from "./RecordedUsage.ts"
import { LimitSettings } from "./Settings.ts"
import * as Usage from "./Usage.ts"

export class Quotas extends Context.Service<
  Quotas,
  {
    /**
     * Adds an amount to the usage of an account, if the account has a quota, or if all usage is recorded and this is the
     * account of the session's owner. `now` is in milliseconds since the epoch.
     */
    readonly charge: (account: Account, amount: Amount, now: number) => void
    /** The quota of an account that is used up, if one is: the monthly one first. */
    readonly exceeded: (account: Account, now: number) => QuotaExceeded | undefined
    /** Whether all usage is recorded, and not only that of accounts with quotas. */
    readonly isRecorded: boolean
  }
>()("effect-socks/limits/Quotas") {
  /** Keeps usage as the settings say, and records it. Fails if the store or the file cannot be read or written. */
  static readonly layer: Layer.Layer<Quotas | UsageRecords, StateFailed, Sections> = Layer.effect(
    Quotas,
    Effect.suspend(() => Effect.map(usage, make))
  ).pipe(Layer.provideMerge(UsageRecords.layer))

  /** Keeps usage in these records. */
  static readonly layerRecorded: Layer.Layer<Quotas, StateFailed, Sections | UsageRecords> = Layer.effect(
    Quotas,
    Effect.suspend(() => Effect.map(usage, make))
  )

  /** Quotas over usage that is kept elsewhere: by the seat of a coordinator. */
  static readonly layerOf = (usage: Usage.Usage): Layer.Layer<Quotas> => Layer.sync(Quotas, () => make(usage))
}

/** What shares the usage that quotas count with other machines. By default nothing does. */
export const UsageSharing = Context.Reference<
  | ((
      usage: Usage.Usage,
      place: Pick<BanSettings["Service"], "stateDir"> & Pick<LimitSettings["Service"], "quotaResetDay">
    ) => Effect.Effect<Usage.Usage, never, Scope.Scope>)
  | undefined
>("effect-socks/limits/UsageSharing", { defaultValue: () => undefined })

/** The usage so far, kept as the settings say, and shared with other machines. */
export const usage: Effect.Effect<Usage.Usage, StateFailed, Sections | UsageRecords | Scope.Scope> =
  Effect.gen(function* () {
    const own = yield* kept
    const share = yield* UsageSharing
    if (share === undefined) return own
    const { stateDir } = yield* BanSettings
    const { quotaResetDay } = yield* LimitSettings
    return yield* share(own, { stateDir, quotaResetDay })
  })

/** The usage so far of this machine: in the store of usage, in a file, or in memory only. */
const kept: Effect.Effect<Usage.Usage, StateFailed, Sections | UsageRecords | Scope.Scope> = Effect.gen(
  function* () {
    const { stateDir } = yield* BanSettings
    const limits = yield* LimitSettings
    const records = yield* UsageRecords
    const limited = {
      ...(yield* AuthSettings),
      ...(yield* PolicySettings),
      ...(yield* UsageSettings),
      ...limits
    }
    for (const warning of warnings({ stateDir, ...limited })) yield* Effect.logWarning(warning)
    if (stateDir !== undefined) yield* StateFile.lock(stateDir)
    if (records.isOn) {
      if (stateDir !== undefined) yield* QuotasFile.adopt(stateDir, limits.quotaResetDay)
      return yield* RecordedUsage.make(limits.quotaResetDay)
    }
    if (stateDir === undefined) return Usage.make(undefined, limits.quotaResetDay)
    return yield* QuotasFile.usage(stateDir, limits.quotaResetDay)
  }
)

/** The settings of quotas, and of where usage is kept. */
export type Sections = AuthSettings | BanSettings | LimitSettings | PolicySettings | UsageSettings

/** Warnings about settings that are valid but probably a mistake, a sentence each. */
export const warnings = ({
  stateDir,
  user,
  users,
  rules,
  usageStore,
  ...all
}: Pick<BanSettings["Service"], "stateDir"> &
  Pick<UsageSettings["Service"], "usageStore"> &
  Pick<AuthSettings["Service"], "user" | "users"> &
  Pick<PolicySettings["Service"], "rules"> &
  Pick<LimitSettings["Service"], "dailyQuota" | "monthlyQuota">): ReadonlyArray<string> => {
  const isAnySet =
    all.dailyQuota !== "off" ||
    all.monthlyQuota !== "off" ||
    [...user, ...users].some(({ limits = {} }) => isQuota(limits)) ||
    limitsOf(rules).some(isQuota)
  return isAnySet && stateDir === undefined && locate({ usageStore }, { stateDir }) === undefined
    ? ["quotas begin anew at every start, as there is no --state-dir"]
    : []
}

/** Fails if usage cannot be read or written. Writes no usage, as a server may be running. */
export const check: Effect.Effect<void, StateFailed, BanSettings | UsageSettings> = Effect.gen(function* () {
  const { stateDir } = yield* BanSettings
  if (stateDir !== undefined) yield* QuotasFile.check(stateDir)
  yield* UsageRecords.check
})

const make = (usage: Usage.Usage): Quotas["Service"] => ({
  isRecorded: usage.isRecorded,
  charge: ({ whose, key, limits, isOwner = false }, amount, now) => {
    const isLimited = isQuota(limits)
    if (!isLimited && !(isOwner && usage.isRecorded)) return
    usage.add(whose === "client" ? anonymous : key, amount, now, isLimited)
  },
  exceeded: (account, now) => {
    if (!isQuota(account.limits)) return undefined
    const { whose, key, limits } = account
    const used = usage.of(key, now)
    // The monthly quota first, as the wait for it is longer.
    for (const [period, limit = Infinity] of [
      ["month", limits.monthlyQuota],
      ["day", limits.dailyQuota]
    ] as const) {
      if (used[period] < limit) continue
      const retryAfter = Math.ceil((usage.endOf(period, now) - now) / 1000)
      return new QuotaExceeded({ whose, period, limit, retryAfter })
    }
    return undefined
  }
})

/** Whether these limits have a quota. */
export const isQuota = ({ dailyQuota = Infinity, monthlyQuota = Infinity }: Limits): boolean =>
  dailyQuota < Infinity || monthlyQuota < Infinity
