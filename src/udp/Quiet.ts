/**
 * Waiting for something to come to rest.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** Ends when nothing has moved for the timeout. Times are milliseconds since the epoch. */
export const quiet = (movedAt: () => number, timeout: Duration.Duration): Effect.Effect<void> =>
  Duration.isFinite(timeout)
    ? Effect.gen(function* () {
        const limit = Duration.toMillis(timeout)
        let left = limit
        while (left > 0) {
          yield* Effect.sleep(left)
          left = movedAt() + limit - (yield* Clock.currentTimeMillis)
        }
      })
    : Effect.never
