/**
 * The idle timeout of associations and of rules in use.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** Ends when `movedAt()`, in milliseconds since the epoch, is the timeout ago; never, if the timeout is infinite. */
export const untilIdle = (movedAt: () => number, timeout: Duration.Duration): Effect.Effect<void> =>
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
