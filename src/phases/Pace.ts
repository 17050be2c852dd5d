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
export const of = (known: Known): Effect.Effect<Pace | undefined, never, Bandwidth | Config | Scope.Scope> =>
  Effect.flatMap(Bandwidth, ({ pace }) => {
    const { identity, decision } = known
    return pace({
      owner: () => ownerOf(known).key,
      own: identity?.limits,
      rule: decision?.limits && { name: decision.rule, limits: decision.limits }
    })
  })
