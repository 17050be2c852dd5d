/**
 * Quotas: the bytes that an account may transfer in a day and in a month (UTC).
 * Usage is kept over restarts where there is a state directory.
 */
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { AuthSettings } from "../auth/Settings.ts"
import { BanSettings } from "../bans/Settings.ts"
import * as StateFile from "../base/StateFile.ts"
import type { Limits } from "../config/Limits.ts"
import { limitsOf } from "../config/RuleTable.ts"
import { QuotaExceeded, type StateFailed } from "../Errors.ts"
import { PolicySettings } from "../policy/Settings.ts"
import type { Account } from "./LimitKeys.ts"
import { LimitSettings } from "./Settings.ts"
import * as Usage from "./Usage.ts"

export class Quotas extends Context.Service<
  Quotas,
  {
    /** Adds bytes to the usage of an account, if the account has a quota. `now` is in milliseconds since the epoch. */
    readonly charge: (account: Account, bytes: number, now: number) => void
    /** The quota of an account that is used up, if one is: the monthly one first. */
    readonly exceeded: (account: Account, now: number) => QuotaExceeded | undefined
  }
>()("effect-socks/limits/Quotas") {
  /** Keeps usage in memory, and in `quotas.json` of `stateDir` if that is set. Fails if the file cannot be read or written. */
  static readonly layer: Layer.Layer<Quotas, StateFailed, Sections> = Layer.effect(
    Quotas,
    Effect.suspend(() => Effect.map(usage, make))
  )

  /** Quotas over usage that is kept elsewhere: by the seat of a coordinator. */
  static readonly layerOf = (usage: Usage.Usage): Layer.Layer<Quotas> => Layer.sync(Quotas, () => make(usage))
}

/** The usage so far, kept as the settings say. */
export const usage: Effect.Effect<Usage.Usage, StateFailed, Sections | Scope.Scope> = Effect.gen(
  function* () {
    const { stateDir } = yield* BanSettings
    const limited = { ...(yield* AuthSettings), ...(yield* PolicySettings), ...(yield* LimitSettings) }
    for (const warning of warnings({ stateDir, ...limited })) yield* Effect.logWarning(warning)
    if (stateDir === undefined) return Usage.make()
    yield* StateFile.lock(stateDir)
    return yield* kept(fileIn(stateDir))
  }
)

/** The settings of quotas, and of where usage is kept. */
export type Sections = AuthSettings | BanSettings | LimitSettings | PolicySettings

/** Warnings about settings that are valid but probably a mistake, a sentence each. */
export const warnings = ({
  stateDir,
  user,
  users,
  rules,
  ...all
}: Pick<BanSettings["Service"], "stateDir"> &
  Pick<AuthSettings["Service"], "user" | "users"> &
  Pick<PolicySettings["Service"], "rules"> &
  Pick<LimitSettings["Service"], "dailyQuota" | "monthlyQuota">): ReadonlyArray<string> => {
  const isAnySet =
    all.dailyQuota !== "off" ||
    all.monthlyQuota !== "off" ||
    [...user, ...users].some(({ limits = {} }) => isQuota(limits)) ||
    limitsOf(rules).some(isQuota)
  return isAnySet && stateDir === undefined
    ? ["quotas begin anew at every start, as there is no --state-dir"]
    : []
}

/** Fails if usage cannot be read or written. Writes nothing, as a server may be running. */
export const check: Effect.Effect<void, StateFailed, BanSettings> = Effect.gen(function* () {
  const { stateDir } = yield* BanSettings
  if (stateDir === undefined) return
  const path = fileIn(stateDir)
  yield* StateFile.read(path, Kept)
  yield* StateFile.canWrite(path)
})

const make = (usage: Usage.Usage): Quotas["Service"] => ({
  charge: (account, bytes, now) => {
    if (isQuota(account.limits)) usage.add(account.key, bytes, now)
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
      const retryAfter = Math.ceil((Usage.endOf(period, now) - now) / 1000)
      return new QuotaExceeded({ whose, period, limit, retryAfter })
    }
    return undefined
  }
})

/** Whether these limits have a quota. */
export const isQuota = ({ dailyQuota = Infinity, monthlyQuota = Infinity }: Limits): boolean =>
  dailyQuota < Infinity || monthlyQuota < Infinity

const fileIn = (stateDir: string): string => join(stateDir, "quotas.json")

const day = {
  date: Schema.String.check(Schema.isPattern(/^\d{4}-\d\d-\d\d$/)),
  accounts: Schema.Array(Schema.Struct({ name: Schema.String, day: Schema.Natural, month: Schema.Natural }))
}

/** The form of the file. A file of another version is refused. */
const Kept = Schema.Struct({
  version: Schema.Literal(1),
  ...day,
  others: Schema.optionalKey(Schema.Array(Schema.Struct(day)))
})

/** Usage that is written to a file at the start, every 10 seconds if it has changed, and at the end. */
const kept = Effect.fnUntraced(function* (path: string) {
  const usage = Usage.make(Option.getOrUndefined(yield* StateFile.read(path, Kept)))
  let written = ""
  const save = Effect.gen(function* () {
    const snapshot = usage.snapshot(yield* Clock.currentTimeMillis)
    const text = JSON.stringify(snapshot)
    if (text === written) return
    yield* StateFile.write(path, Kept, { version: 1, ...snapshot })
    written = text
  })
  // At the start, so that a file that cannot be written is an error and not only a line in the log.
  yield* save
  const saveOrSay = Effect.catch(save, ({ message }) => Effect.logError(message))
  yield* Effect.addFinalizer(() => saveOrSay)
  yield* Effect.forkScoped(Effect.schedule(saveOrSay, Schedule.spaced("10 seconds")))
  return usage
})
