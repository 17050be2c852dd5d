/**
 * Summaries: one log line for many events, where a line for each would fill the disk.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"
import * as Queue from "effect/Queue"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"

export interface Summary {
  /**
   * Counts an event of a kind. The number of kinds must be small. `least` is the lowest level that is logged now, which
   * a reload may have changed.
   */
  readonly note: (kind: string, least?: LogLevel.LogLevel) => void
}

interface Options {
  /** The time from the first event to the line. */
  readonly after: Duration.Input
  /** The time after a line without another line. */
  readonly pause: Duration.Input
  readonly log: (counts: Readonly<Record<string, number>>) => Effect.Effect<void>
}

/** Logs until the scope closes, and then logs the remaining events. */
export const make = Effect.fnUntraced(function* ({
  after,
  pause,
  log
}: Options): Effect.fn.Return<Summary, never, Scope.Scope> {
  const begun = yield* Queue.sliding<void>(1)
  const counts = new Map<string, number>()
  let leastLevel = yield* References.MinimumLogLevel
  const say = Effect.suspend(() => {
    if (counts.size === 0) return Effect.void
    const found = Object.fromEntries(counts)
    counts.clear()
    return Effect.provideService(log(found), References.MinimumLogLevel, leastLevel)
  })
  yield* Effect.addFinalizer(() => say)
  yield* Effect.forkScoped(
    Effect.forever(
      Queue.take(begun).pipe(
        Effect.andThen(Effect.sleep(Duration.fromInputUnsafe(after))),
        Effect.andThen(say),
        Effect.andThen(Effect.sleep(Duration.fromInputUnsafe(pause)))
      )
    )
  )
  return {
    note: (kind, least = leastLevel) => {
      leastLevel = least
      if (counts.size === 0) Queue.offerUnsafe(begun, undefined)
      counts.set(kind, (counts.get(kind) ?? 0) + 1)
    }
  }
})
