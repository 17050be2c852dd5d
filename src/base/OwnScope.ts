/**
 * Resources that stay only if all goes well.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

/** Runs an effect whose resources stay in the scope if it succeeds, and are released at once if it fails. */
export const inOwnScope = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Scope.Scope> =>
  Effect.flatMap(Effect.scope, (parent) => {
    const own = Scope.forkUnsafe(parent)
    return Effect.onError(Scope.provide(effect, own) as Effect.Effect<A, E, R>, (cause) =>
      Scope.close(own, Exit.failCause(cause))
    )
  })
