/**
 * The bandwidth limits of a session: its own, and those that it shares with other
 * sessions of the same user, rule or server.
 */
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Finalizers from "../base/Finalizers.ts"
import * as TokenBucket from "../base/TokenBucket.ts"
import type { Limits } from "../config/Limits.ts"
import type { Rates } from "../config/Parsers.ts"
import * as BandwidthScheduler from "../network/BandwidthScheduler.ts"
import type { Account } from "./LimitKeys.ts"
import * as LimitKeys from "./LimitKeys.ts"
import { Quotas } from "./Quotas.ts"
import * as QuotaThrottle from "./QuotaThrottle.ts"
import { RateShares } from "./RateShares.ts"
import { LimitSettings } from "./Settings.ts"
import * as SharedBuckets from "./SharedBuckets.ts"

/** What a session uses bandwidth as. */
export interface Usage {
  /** The owner's key, asked for only where there is a limit. All sessions of an owner share the limit. */
  readonly owner: () => string
  /** The authenticated user. */
  readonly user?: string | undefined
  /** The owner's own limits, which take precedence over those of the settings. */
  readonly own: Limits | undefined
  /** The rule that allowed the session. All sessions that the rule allows share its limits. */
  readonly rule: LimitedRule | undefined
}

export interface LimitedRule {
  readonly name: string
  readonly limits: Limits
}

export class Bandwidth extends Context.Service<
  Bandwidth,
  {
    /**
     * The limits of a session until the scope closes; undefined without any. They
     * are those of the current configuration. A shared limit that has changed
     * changes for all its sessions.
     */
    readonly pace: (
      usage: Usage
    ) => Effect.Effect<BandwidthScheduler.Pace | undefined, never, LimitSettings | Scope.Scope>
    /** The limits of the traffic that a rule allows, for a session that uses several rules, until the scope closes. They hold beside those of `pace`. */
    readonly paceOf: (
      rule: LimitedRule
    ) => Effect.Effect<BandwidthScheduler.Pace | undefined, never, LimitSettings | Scope.Scope>
  }
>()("effect-socks/limits/Bandwidth") {
  static readonly layer: Layer.Layer<Bandwidth, never, Quotas> = Layer.effect(
    Bandwidth,
    Effect.gen(function* () {
      const clock = yield* Clock.clockWith(Effect.succeed)
      const now = () => Number(clock.monotonicTimeNanosUnsafe() / 1000n) / 1000
      const isBusy = Latch.makeUnsafe()
      const scheduler = BandwidthScheduler.make(now, () => Latch.openUnsafe(isBusy))
      const shares = yield* RateShares
      const shared = SharedBuckets.make(now, shares)
      if (shares) {
        const report = Effect.sync(() => shared.report())
        yield* Effect.forkScoped(Effect.schedule(report, Schedule.spaced("1 second")))
      }
      // One timer for all sessions. It does not run while no flow waits.
      const tick = Effect.sync(() => {
        if (!scheduler.tick()) Latch.closeUnsafe(isBusy)
      })
      yield* Latch.await(isBusy).pipe(
        Effect.andThen(Effect.sleep(BandwidthScheduler.interval)),
        Effect.andThen(tick),
        Effect.forever,
        Effect.forkScoped
      )

      const throttle = QuotaThrottle.make(yield* Quotas, shared)
      const sweep = Effect.sync(() => throttle.sweep(clock.currentTimeMillisUnsafe()))
      const sweeping = yield* Effect.cached(
        Effect.forkIn(Effect.schedule(sweep, Schedule.spaced("1 second")), yield* Effect.scope)
      )

      /** A flow through the buckets of these limits, and the function that gives the buckets back. */
      const enter = (named: ReadonlyArray<QuotaThrottle.Named>, session = Infinity) => {
        const shares = named.filter(([, rate]) => rate < Infinity)
        const buckets = [
          ...(session < Infinity ? [TokenBucket.make(session, now())] : []),
          ...shares.map(([name, rate]) => shared.take(name, rate))
        ]
        const lowest = Math.min(...shares.map(([, , lowest = Infinity]) => lowest))
        const flow = Arr.isReadonlyArrayNonEmpty(buckets) ? scheduler.flow(buckets, lowest) : undefined
        const leave = () => {
          flow?.leave()
          for (const [name] of shares) shared.giveBack(name)
        }
        return { flow, leave }
      }

      /** The buckets of accounts that are slowed over their quotas, until the scope closes. */
      const slowed = Effect.fnUntraced(function* (accounts: ReadonlyArray<Account>, rates: Rates) {
        const all: Array<Record<keyof Rates, QuotaThrottle.Named>> = []
        for (const account of accounts) {
          const buckets = throttle.enter(account, rates, clock.currentTimeMillisUnsafe())
          if (buckets === undefined) continue
          all.push(buckets)
          yield* Finalizers.add(Effect.sync(() => throttle.leave(account)))
        }
        if (all.length > 0) yield* sweeping
        return all
      })

      const limited = Effect.fnUntraced(function* (
        usage: Usage,
        settings: LimitSettings["Service"],
        limits: Record<keyof Rates, DirectionLimits>
      ) {
        const over =
          settings.onQuota === "throttle"
            ? yield* slowed(accountsOf(usage, settings), settings.bandwidthOverQuota)
            : []
        if (!isLimited(limits.upload) && !isLimited(limits.download) && over.length === 0) return undefined
        return yield* paced((way) => {
          const { session, user, rule, total } = limits[way]
          const shared = [
            [`${way} of ${usage.owner()}`, user],
            [byRule(way, usage.rule?.name), rule],
            [way, total],
            ...over.map((buckets) => buckets[way])
          ] as const
          return enter(shared, session)
        })
      })

      return {
        pace: (usage) =>
          Effect.flatMap(LimitSettings, (settings) => {
            const upload = limitsOf("upload", usage, settings)
            const download = limitsOf("download", usage, settings)
            // As for most sessions: nothing else is looked at then.
            return settings.onQuota === "throttle" || isLimited(upload) || isLimited(download)
              ? limited(usage, settings, { upload, download })
              : Effect.undefined
          }),
        paceOf: Effect.fnUntraced(function* (rule) {
          const settings = yield* LimitSettings
          const { name, limits } = rule
          const { upload = Infinity, download = Infinity } = limits
          const over =
            settings.onQuota === "throttle"
              ? yield* slowed(accountsOf({ rule }, settings), settings.bandwidthOverQuota)
              : []
          if (Math.min(upload, download) === Infinity && over.length === 0) return undefined
          return yield* paced((way) =>
            enter([
              [byRule(way, name), way === "upload" ? upload : download],
              ...over.map((buckets) => buckets[way])
            ])
          )
        })
      }
    })
  )
}

/** The accounts whose quotas count for a session. */
const accountsOf = (
  { user, own, rule }: Partial<Usage>,
  settings: LimitSettings["Service"]
): ReadonlyArray<Account> => {
  const ofRule = rule && LimitKeys.ofRule({ rule: rule.name, limits: rule.limits }, settings)
  return [
    ...(user === undefined ? [] : [LimitKeys.ofUser(user, own, settings)]),
    ...(ofRule === undefined ? [] : [ofRule])
  ]
}

interface Entered {
  readonly flow: BandwidthScheduler.Flow | undefined
  readonly leave: () => void
}

/** The flows of both directions, until the scope closes. */
const paced = Effect.fnUntraced(function* (
  enter: (way: keyof Rates) => Entered
): Effect.fn.Return<BandwidthScheduler.Pace, never, Scope.Scope> {
  const upload = enter("upload")
  const download = enter("download")
  yield* Finalizers.add(
    Effect.sync(() => {
      upload.leave()
      download.leave()
    })
  )
  return { upload: upload.flow, download: download.flow }
})

/** The name of a rule's limit. */
const byRule = (way: keyof Rates, name: string | undefined): string => `${way} by ${name}`

/** The limits of one direction, in bytes a second, or `Infinity`. */
interface DirectionLimits {
  readonly session: number
  readonly user: number
  readonly rule: number
  readonly total: number
}

const limitsOf = (
  way: keyof Rates,
  { own, rule }: Usage,
  settings: LimitSettings["Service"]
): DirectionLimits => ({
  session: settings.bandwidthSession[way],
  user: own?.[way] ?? settings.bandwidthUser[way],
  rule: rule?.limits[way] ?? Infinity,
  total: settings.bandwidthTotal[way]
})

const isLimited = ({ session, user, rule, total }: DirectionLimits): boolean =>
  Math.min(session, user, rule, total) < Infinity
