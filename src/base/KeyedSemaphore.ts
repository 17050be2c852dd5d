/**
 * How many of one kind may be under way at once; the others wait for their turn,
 * as long as what started them does.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

/** Runs an effect in its turn among those of the same key. Keys without waiting effects are forgotten. */
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
