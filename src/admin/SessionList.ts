/**
 * The list of open sessions for many readers: listing takes a tenth of the time at most, however many ask.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { SessionSnapshot } from "../session/SessionSnapshot.ts"

export interface SessionList {
  /** The sessions, of a moment ago where listing takes long. */
  readonly read: Effect.Effect<ReadonlyArray<SessionSnapshot>>
  /** The next reader gets a new list. */
  readonly forget: Effect.Effect<void>
}

/** For each millisecond that a list took, readers get the same list for so many milliseconds. */
const rest = 10

export const make = (list: Effect.Effect<ReadonlyArray<SessionSnapshot>>): SessionList => {
  const one = Semaphore.makeUnsafe(1)
  let known: ReadonlyArray<SessionSnapshot> = []
  let goodUntil = Number.NEGATIVE_INFINITY
  const renew = Effect.gen(function* () {
    const before = yield* Clock.currentTimeMillis
    if (before < goodUntil) return known
    known = yield* list
    const now = yield* Clock.currentTimeMillis
    goodUntil = now + (now - before) * rest
    return known
  })
  return {
    read: one.withPermits(1)(renew),
    forget: Effect.sync(() => {
      goodUntil = Number.NEGATIVE_INFINITY
    })
  }
}
