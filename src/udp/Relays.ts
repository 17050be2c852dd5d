/**
 * The upstreams that relay the datagrams of one association.
 */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { DialError } from "../Errors.ts"
import type { Connecting, DatagramRelay, Share } from "../routes/Route.ts"

/** Makes each relay once, and again when it has ended. All relays stay until the scope closes. */
export const make: Effect.Effect<Share, never, Scope.Scope> = Effect.map(Effect.scope, (scope): Share => {
  const made = new Map<string, Effect.Effect<DatagramRelay, DialError, Connecting>>()
  return Effect.fnUntraced(function* (key, make) {
    const known = made.get(key)
    if (known !== undefined) {
      const relay = yield* known
      if (!relay.hasEnded) return relay
    }
    const relay = yield* Effect.cached(Scope.provide(make, scope))
    made.set(key, relay)
    return yield* Effect.onError(relay, () =>
      Effect.sync(() => {
        if (made.get(key) === relay) made.delete(key)
      })
    )
  })
})
