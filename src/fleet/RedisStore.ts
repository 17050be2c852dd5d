/**
 * The store of a fleet in Redis or Valkey, on one connection for calls and messages alike.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { FleetStoreFailed } from "../Errors.ts"
import { FleetStore } from "./FleetStore.ts"
import type { FleetUrl } from "./FleetUrl.ts"
import { patience } from "./RedisCalls.ts"
import { RedisLinks } from "./RedisLinks.ts"

/** Milliseconds between attempts to connect: they double, from the first to the last, with some chance. */
const firstDelay = 50
const lastDelay = 2000

/**
 * Connects, and fails for a server that cannot be used, and, unless the store `mayBeAway`, if none answers within 5 seconds.
 * From then on it connects again by itself.
 */
export const layer = (url: FleetUrl, mayBeAway = false): Layer.Layer<FleetStore, FleetStoreFailed> =>
  Layer.effect(
    FleetStore,
    Effect.suspend(() => make(url, mayBeAway))
  )

const make = Effect.fnUntraced(function* (
  url: FleetUrl,
  mayBeAway: boolean
): Effect.fn.Return<FleetStore["Service"], FleetStoreFailed, Scope.Scope> {
  const links = new RedisLinks(url, Effect.runForkWith(yield* Effect.context<never>()))
  const first = Deferred.makeUnsafe<void, FleetStoreFailed>()
  let delay = firstDelay
  const connecting = Effect.gen(function* () {
    yield* Effect.scoped(
      Effect.gen(function* () {
        const broken = yield* links.open
        delay = firstDelay
        Deferred.doneUnsafe(first, Effect.void)
        yield* Deferred.await(broken)
      })
    ).pipe(
      Effect.catch((failure) =>
        Effect.sync(() => {
          links.failed(failure.reason)
          if (links.isRefused) Deferred.doneUnsafe(first, Effect.fail(failure))
        })
      )
    )
    yield* Effect.sleep(delay * (0.5 + Math.random() / 2))
    delay = Math.min(2 * delay, lastDelay)
  })
  yield* Effect.forkScoped(Effect.forever(connecting))
  yield* Effect.forkScoped(
    Effect.forever(
      Effect.andThen(
        Effect.sleep(patience / 4),
        Effect.sync(() => links.calls.check())
      )
    )
  )
  yield* Deferred.await(first).pipe(
    Effect.timeoutOrElse({
      duration: "5 seconds",
      orElse: () => Effect.suspend(() => (mayBeAway ? Effect.void : Effect.fail(links.failure(links.reason))))
    })
  )
  return links
})
