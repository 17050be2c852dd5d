/**
 * The upstreams that relay the datagrams of one association.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { DialError } from "../Errors.ts"
import type { Connecting, DatagramRelay, Share } from "../routes/Route.ts"

/** A relay that is being made, or was, and the scope of its resources. */
interface Made {
  readonly relay: Effect.Effect<DatagramRelay, DialError, Connecting>
  readonly own: Scope.Closeable
}

/**
 * Makes each relay once, and again when it has ended. All relays stay until the scope closes, but nothing stays of one that
 * has ended or was not made.
 */
export const make: Effect.Effect<Share, never, Scope.Scope> = Effect.map(Effect.scope, (scope): Share => {
  const made = new Map<string, Made>()

  const drop = (key: string, one: Made): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (made.get(key) === one) made.delete(key)
      return Scope.close(one.own, Exit.void)
    })

  const found = (key: string, one: Made) => Effect.onError(one.relay, () => drop(key, one))

  const share: Share = (key, make) =>
    Effect.suspend(() => {
      const known = made.get(key)
      if (known === undefined) return renewed(key, make)
      return Effect.flatMap(found(key, known), (relay) =>
        relay.hasEnded ? Effect.andThen(drop(key, known), renewed(key, make)) : Effect.succeed(relay)
      )
    })

  /** The relay of this key that is there, or else a new one. A new one that ends at once is made again by the next datagram. */
  const renewed: Share = (key, make) =>
    Effect.suspend(() => {
      const known = made.get(key)
      if (known !== undefined) return found(key, known)
      const own = Scope.forkUnsafe(scope)
      return Effect.flatMap(Effect.cached(Scope.provide(make, own)), (relay) => {
        const one = made.get(key) ?? { relay, own }
        made.set(key, one)
        return found(key, one)
      })
    })

  return share
})
