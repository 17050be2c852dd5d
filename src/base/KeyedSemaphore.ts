/**
 * A semaphore for each key: a limited number of effects of a key run at a time, and
 * the others wait for their turn until they are interrupted.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

/** Runs an effect in its turn among those of the same key. A key without effects takes no memory. */
export const make = (atOnce: number) => {
  const turns = new Map<string, { readonly semaphore: Semaphore.Semaphore; users: number }>()
  return <A, E, R>(key: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const turn = turns.get(key) ?? { semaphore: Semaphore.makeUnsafe(atOnce), users: 0 }
        turns.set(key, turn)
        turn.users++
        return turn
      }),
      ({ semaphore }) => semaphore.withPermit(effect),
      (turn) =>
        Effect.sync(() => {
          if (--turn.users === 0) turns.delete(key)
        })
    )
}
