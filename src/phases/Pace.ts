/**
 * How fast the bytes of a session may go, by whose it is and what let it in.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Config } from "../config/Config.ts"
import { Bandwidth } from "../network/Bandwidth.ts"
import type { Pace } from "../network/Pacer.ts"
import { type Known, ownerOf } from "./Dialect.ts"

/** Until the scope closes; nothing if there is no limit. */
export const of = Effect.fnUntraced(function* (
  known: Known
): Effect.fn.Return<Pace | undefined, never, Bandwidth | Config | Scope.Scope> {
  const { pace } = yield* Bandwidth
  const { identity, decision } = known
  return yield* pace({
    owner: () => ownerOf(known).key,
    own: identity?.limits,
    rule: decision?.limits && { name: decision.rule, limits: decision.limits }
  })
})
