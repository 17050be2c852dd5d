/**
 * Doing something unless something else happens first.
 *
 * `Effect.raceFirst` takes a fiber for each side. What is only waited for needs
 * none, and every session waits like this more than once.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

/** Calls `happen` when something comes to pass, at once if it has already. Returns what ends the wait for it. */
export type Event = (happen: () => void) => () => void

/**
 * Runs an effect, in a fiber of its own. If the event comes first, the effect is
 * interrupted, and once that is done this goes on with `otherwise`.
 */
export const unless = <A, E, R, A2, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  event: Event,
  otherwise: Effect.Effect<A2, E2, R2>
): Effect.Effect<A | A2, E | E2, R | R2> =>
  // What is there already needs no waiting for.
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
