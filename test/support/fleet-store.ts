/**
 * A store of a fleet in memory, by a clock that the test sets.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as MemoryStore from "../../src/fleet/MemoryStore.ts"

export const make = (startedAt = Date.parse("2026-11-29T12:00:00Z")) => {
  let now = startedAt
  let timers: ReadonlyArray<{ readonly at: number; readonly call: () => void }> = []
  const due = () => {
    const all = timers.filter(({ at }) => at <= now)
    timers = timers.filter(({ at }) => at > now)
    return all
  }
  const store = MemoryStore.make({
    now: () => now,
    after: (milliseconds, call) => {
      timers = [...timers, { at: now + milliseconds, call }]
    }
  })
  /** All that happens now, until nothing does. */
  const settle = Effect.gen(function* () {
    for (let idle = 0; idle < 5; idle++) {
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      const calls = due()
      if (calls.length > 0) idle = -1
      for (const { call } of calls) call()
    }
  })
  return {
    ...store,
    now: () => now,
    settle,
    /** Lets the time pass. */
    pass: (milliseconds: number) =>
      Effect.suspend(() => {
        now += milliseconds
        return settle
      }),
    /** Runs an effect that waits for the store. */
    settled: <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
        yield* settle
        return yield* Fiber.join(fiber)
      })
  }
}
