/**
 * The loop in which a machine exchanges something with the fleet's store, as long as it serves.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import type { FleetStoreFailed } from "../Errors.ts"

/** The longest time between two exchanges with the store, and the shortest. */
export const interval = "1 second"
const pause = "100 millis"

/** Runs an exchange each second, and soon after `wake`. The store logs that it does not answer. */
export const make = Effect.gen(function* () {
  const asked = yield* Latch.make()
  const start = (exchange: Effect.Effect<void, FleetStoreFailed>): Effect.Effect<void, never, Scope.Scope> =>
    Effect.asVoid(
      Effect.forkScoped(
        Effect.forever(
          Effect.gen(function* () {
            yield* Effect.raceFirst(asked.await, Effect.sleep(interval))
            asked.closeUnsafe()
            // What is not right in the store may not end the loop.
            yield* Effect.catchDefect(Effect.ignore(exchange), (defect) =>
              Effect.logError("what the fleet's store has cannot be used", { reason: String(defect) })
            )
            yield* Effect.sleep(pause)
          })
        )
      )
    )
  return { wake: () => void asked.openUnsafe(), start }
})
