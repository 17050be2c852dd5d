/**
 * One line for much that happened, as lines of its own would fill a disk.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

export interface Summary {
  /** Counts one of a kind; of the kinds there are but a few. */
  readonly note: (kind: string) => void
}

export interface Options {
  /** How long what comes with the first one is waited for. */
  readonly after: Duration.Input
  /** How long nothing is said then. */
  readonly pause: Duration.Input
  readonly log: (counts: Readonly<Record<string, number>>) => Effect.Effect<void>
}

/** Logs until the scope closes, and then the rest. */
export const make = Effect.fnUntraced(function* ({
  after,
  pause,
  log
}: Options): Effect.fn.Return<Summary, never, Scope.Scope> {
  const begun = yield* Queue.sliding<void>(1)
  const counts = new Map<string, number>()
  const say = Effect.suspend(() => {
    if (counts.size === 0) return Effect.void
    const found = Object.fromEntries(counts)
    counts.clear()
    return log(found)
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
    note: (kind) => {
      if (counts.size === 0) Queue.offerUnsafe(begun, undefined)
      counts.set(kind, (counts.get(kind) ?? 0) + 1)
    }
  }
})
