/**
 * The traffic of the last minutes: a sample of the counts every two seconds.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Census } from "../session/OpenSessions.ts"
import type { Sample } from "./Api.ts"

/** Fifteen minutes of samples. */
const most = 450

export interface History {
  /** The samples, the oldest first. */
  readonly samples: Effect.Effect<ReadonlyArray<Sample>>
}

/** Samples until the scope closes. */
export const make = Effect.fnUntraced(function* (
  census: Effect.Effect<Census>
): Effect.fn.Return<History, never, Scope.Scope> {
  const samples: Array<Sample> = []
  const take = Effect.gen(function* () {
    const { sessions, sent, received } = yield* census
    samples.push({ at: yield* Clock.currentTimeMillis, sessions, sent, received })
    if (samples.length > most) samples.shift()
  })
  yield* Effect.forkScoped(Effect.schedule(take, Schedule.spaced("2 seconds")))
  return { samples: Effect.sync(() => [...samples]) }
})
