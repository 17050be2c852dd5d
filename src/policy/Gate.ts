/**
 * A door for logins, which take long: so many at once, so many more that wait,
 * and no crowd behind them that holds memory.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import { TooManyLogins } from "../Errors.ts"

/** Runs this many effects at once, and lets as many more as are `waiting` wait; the next fails at once. */
export const make = (
  running: number,
  waiting: number
): (<A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | TooManyLogins, R>) => {
  const places = Semaphore.makeUnsafe(running + waiting)
  const turns = Semaphore.makeUnsafe(running)
  return (effect) =>
    Effect.flatMap(
      places.withPermitsIfAvailable(1)(turns.withPermit(effect)),
      Option.match({
        onNone: () => Effect.fail(new TooManyLogins({ limit: running + waiting })),
        onSome: Effect.succeed
      })
    )
}
