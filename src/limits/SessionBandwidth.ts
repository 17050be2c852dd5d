/**
 * The bandwidth limits of a session, by its owner and the rule that allowed it.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Flow, Pace } from "../network/BandwidthScheduler.ts"
import type { Decision } from "../policy/Decision.ts"
import { Bandwidth, type LimitedRule } from "./Bandwidth.ts"
import { type Owned, ownerOf } from "./LimitKeys.ts"
import type { LimitSettings } from "./Settings.ts"

/** The limits of a session until the scope closes; undefined if there are none. */
export const of = (
  owned: Owned,
  decision?: Decision
): Effect.Effect<Pace | undefined, never, Bandwidth | LimitSettings | Scope.Scope> =>
  Effect.flatMap(Bandwidth, ({ pace }) =>
    pace({
      owner: () => ownerOf(owned).key,
      user: owned.identity.user,
      own: owned.identity.limits,
      rule: decision && limitedRule(decision)
    })
  )

/** The limits of the traffic that one rule allows, for a session that uses several rules. */
export const ofRule = (
  decision: Decision
): Effect.Effect<Pace | undefined, never, Bandwidth | LimitSettings | Scope.Scope> => {
  const rule = limitedRule(decision)
  return rule ? Effect.flatMap(Bandwidth, ({ paceOf }) => paceOf(rule)) : Effect.undefined
}

const limitedRule = ({ rule, limits }: Decision): LimitedRule | undefined => limits && { name: rule, limits }

/** Charges a flow for bytes, and waits until they may pass. */
export const waitToPass = (flow: Flow | undefined, bytes: number): Effect.Effect<void> =>
  flow === undefined
    ? Effect.void
    : Effect.callback((resume) => {
        const go = () => resume(Effect.void)
        if (flow.pass(bytes, go)) go()
      })
