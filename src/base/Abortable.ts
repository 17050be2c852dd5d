/**
 * An effect that an event interrupts.
 *
 * `Effect.raceFirst` takes a fiber for each side. An event needs no fiber, and every
 * session waits like this several times.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

/** Calls `happen` when the event happens, at once if it has happened already. Returns the function that ends the wait. */
export type Event = (happen: () => void) => () => void

/**
 * Runs an effect in a fiber of its own. If the event comes first, interrupts the
 * effect, waits until it has ended, and goes on with `otherwise`.
 */
export const unless = <A, E, R, A2, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  event: Event,
  otherwise: Effect.Effect<A2, E2, R2>
): Effect.Effect<A | A2, E | E2, R | R2> =>
  // A result that is there already needs no wait.
  Exit.isExit(effect)
    ? effect
    : Effect.contextWith((context: Context.Context<R | R2>) =>
        Effect.callback<A | A2, E | E2, R | R2>((resume) => {
          const fiber = Effect.runForkWith(context)(effect)
          const over = fiber.pollUnsafe()
          if (over) return resume(over)
          const cancel = event(() => resume(Effect.andThen(Fiber.interrupt(fiber), otherwise)))
          fiber.addObserver((exit) => {
            cancel()
            resume(exit)
          })
          return Fiber.interrupt(fiber)
        })
      )
