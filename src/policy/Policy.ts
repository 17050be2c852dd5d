/**
 * Which targets a client may reach.
 *
 * A request is judged twice: before its name is resolved, so that a denied name is not
 * looked up, and then with each of the addresses found. Exactly the allowed addresses
 * are dialled.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import * as Slices from "../base/Slices.ts"
import type * as TargetPattern from "../config/TargetPattern.ts"
import { ListenSettings } from "../network/ListenSettings.ts"
import type { Access } from "./Access.ts"
import * as AddressGuard from "./AddressGuard.ts"
import type { Decision, Judge } from "./Decision.ts"
import { LocalAddresses } from "./LocalAddresses.ts"
import * as Reach from "./Reach.ts"
import * as Ruleset from "./Ruleset.ts"
import { PolicySettings } from "./Settings.ts"

/**
 * Which targets a client may reach. A request is judged with its name, and then with each of its addresses.
 *
 * **When to use**
 *
 * Replace it for rules of your own; `Policy.make` makes one of functions. What this package refuses for rules and
 * private addresses is its own policy, and gone with a replacement.
 *
 * **Example** (Only HTTPS)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { Policy, Server } from "effect-socks"
 *
 * const OnlyHttps = Layer.succeed(
 *   Policy,
 *   Policy.make(({ target }) =>
 *     target?.port === 443
 *       ? { verdict: "allow", rule: "https" }
 *       : { verdict: "deny", rule: "https", reason: "only port 443" }
 *   )
 * )
 *
 * const ProxyLive = Server.layer().pipe(Layer.provide(OnlyHttps))
 * ```
 */
export class Policy extends Context.Service<
  Policy,
  {
    /** `address` is one of the target's, never an IPv4 address in IPv6 form; left out while it is not known. */
    readonly judge: (access: Access, address?: NetAddress.IpAddress) => Effect.Effect<Decision>
    /**
     * A number that changes with the policy, so that remembered decisions are void. Left out where the policy never
     * changes.
     */
    readonly revision?: () => number
  }
>()("effect-socks/policy/Policy") {
  /** A policy of several judges: a denial of any judge counts; without a denial, the last judge decides. */
  static readonly make = (...judges: readonly [Judge, ...Array<Judge>]): Policy["Service"] => ({
    judge: (access, address) =>
      Effect.clockWith((clock) =>
        Effect.succeed(firstDenialOrLast(judges)(access, address, clock.currentTimeMillisUnsafe()))
      )
  })

  /** Allows every target: for tests, and for networks that are guarded otherwise. */
  static readonly layerAnything: Layer.Layer<Policy> = Layer.succeed(
    Policy,
    Policy.make(() => ({ verdict: "allow", rule: "anything" }))
  )

  /** Denies every target. */
  static readonly layerDenyAll: Layer.Layer<Policy> = Layer.succeed(
    Policy,
    Policy.make(() => ({ verdict: "deny", rule: "nothing" }))
  )

  /** The policy of the configuration. */
  static readonly layer: Layer.Layer<Policy, never, PolicySettings | ListenSettings | LocalAddresses> =
    Layer.effect(
      Policy,
      Effect.gen(function* () {
        const settings = { ...(yield* PolicySettings), ...(yield* ListenSettings) }
        const policy = Policy.make(yield* Slices.run(buildJudge(settings, yield* LocalAddresses)))
        return settings.reportOnly ? reporting(policy) : policy
      })
    )
}

/** The settings that decide where clients may go. */
export type Settings = PolicySettings["Service"] & Reach.Settings

/** Builds the judge of these settings: the address guard, then the rules. */
export function* buildJudge(settings: Settings, local: LocalAddresses["Service"]): Slices.Work<Judge> {
  const guard = AddressGuard.make({
    privateTargets: Reach.allowsPrivateTargets(settings),
    allow: settings.allowTarget,
    deny: denied(settings),
    local
  })
  return firstDenialOrLast([guard, (yield* Ruleset.build(settings.rules)).judge])
}

/** The targets to deny. The default ones stay beside those of the setting, unless `none` is among these. */
const denied = ({ denyTarget }: Settings): ReadonlyArray<TargetPattern.TargetPattern> => {
  const { denyTarget: initially } = PolicySettings.defaults
  const targets =
    denyTarget === initially || denyTarget.includes("none") ? denyTarget : [...initially, ...denyTarget]
  return targets.filter((target) => target !== "none")
}

/** The first denial of these judges; without a denial, the decision of the last judge. */
const firstDenialOrLast =
  (judges: readonly [Judge, ...ReadonlyArray<Judge>]): Judge =>
  (access, address, now) => {
    let decision = judges[0](access, address, now)
    for (let i = 1; i < judges.length && decision.verdict !== "deny"; i++) {
      decision = judges[i]!(access, address, now)
    }
    return decision
  }

/** A policy that marks what `policy` would have denied with `isReport`, and allows it. */
export const reporting = ({ judge }: Policy["Service"]): Policy["Service"] => ({
  judge: (access, address) =>
    Effect.map(judge(access, address), (decision) =>
      isReported(decision) ? { ...decision, verdict: "allow", isReport: true } : decision
    )
})

/** Whether a decision is only logged by `reporting`: a denial, but by the route that leads nowhere. */
export const isReported = ({ verdict, route }: Decision): boolean => verdict === "deny" && route === undefined
