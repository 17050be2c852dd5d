/**
 * The rules with limits that allow datagrams of one association. A rule is in use from its first datagram until no
 * datagram of the rule has passed for the idle timeout. For that time the use counts as a session in the rule's limits.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Scope from "effect/Scope"
import type { Limits } from "../config/Limits.ts"
import type { LimitError } from "../Errors.ts"
import type { Pace } from "../network/BandwidthScheduler.ts"
import type { Traffic } from "../network/Relay.ts"
import type { Decision } from "../policy/Decision.ts"
import { untilIdle } from "./IdleTimeout.ts"

/** Charges the limits of the rule that decided, until the scope closes. Returns the flows of its bandwidth limits. */
export type ChargeRule = (
  decision: Decision,
  traffic: Traffic
) => Effect.Effect<Pace | undefined, LimitError, Scope.Scope>

/** A rule in use. */
export interface RuleUse {
  readonly pace: Pace | undefined
  readonly traffic: Traffic
  /** The time of the last relayed datagram, in milliseconds since the epoch. */
  movedAt: number
  /** Whether the use has ended: no more datagrams may pass by it. */
  hasEnded: boolean
}

export interface RuleUses {
  /** The present or a new use of the rule that decided; undefined for a rule without limits. */
  readonly of: (decision: Decision) => Effect.Effect<RuleUse | undefined, LimitError>
}

interface Held extends RuleUse {
  readonly limits: Limits
  readonly scope: Scope.Closeable
}

/** The uses of one association, which end with the scope. */
export const make = Effect.fnUntraced(function* (
  enter: ChargeRule,
  idleTimeout: Duration.Duration
): Effect.fn.Return<RuleUses, never, Scope.Scope> {
  const parent = yield* Effect.scope
  const clock = yield* Clock.clockWith(Effect.succeed)
  const fork = yield* FiberSet.makeRuntime()
  const uses = new Map<string, Held>()

  const endUse = (rule: string, use: Held) =>
    Effect.suspend(() => {
      use.hasEnded = true
      if (uses.get(rule) === use) uses.delete(rule)
      return Scope.close(use.scope, Exit.void)
    })

  const beginUse = Effect.fnUntraced(function* (
    decision: Decision,
    limits: Limits
  ): Effect.fn.Return<RuleUse, LimitError> {
    const { rule } = decision
    const scope = Scope.forkUnsafe(parent)
    const traffic = { sent: 0, received: 0 }
    const pace = yield* enter(decision, traffic).pipe(
      Scope.provide(scope),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
    )
    const others = uses.get(rule)
    // Another datagram of the rule began the use meanwhile.
    if (others && Equal.equals(others.limits, limits)) {
      yield* Scope.close(scope, Exit.void)
      return others
    }
    const movedAt = clock.currentTimeMillisUnsafe()
    const use: Held = { pace, traffic, movedAt, hasEnded: false, limits, scope }
    uses.set(rule, use)
    fork(
      Effect.andThen(
        untilIdle(() => use.movedAt, idleTimeout),
        endUse(rule, use)
      )
    )
    return use
  })

  return {
    of: (decision) =>
      Effect.suspend(() => {
        const { rule, limits } = decision
        if (limits === undefined) return Effect.undefined
        const use = uses.get(rule)
        if (use === undefined) return beginUse(decision, limits)
        return Equal.equals(use.limits, limits)
          ? Effect.succeed(use)
          : Effect.andThen(endUse(rule, use), beginUse(decision, limits))
      })
  }
})
