/**
 * The list of open sessions for many readers: very many sessions are listed once a second, however many ask.
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

/** For each millisecond that a list took, readers get the same list for so many milliseconds, and for a second at most. */
const rest = 30
const longest = 1000

/** Milliseconds. A list that is made faster is made for each reader. */
const short = 5

export const make = (list: Effect.Effect<ReadonlyArray<SessionSnapshot>>): SessionList => {
  const one = Semaphore.makeUnsafe(1)
  let known: ReadonlyArray<SessionSnapshot> = []
  let goodUntil = Number.NEGATIVE_INFINITY
  const renew = Effect.gen(function* () {
    const before = yield* Clock.currentTimeMillis
    if (before < goodUntil) return known
    known = yield* list
    const now = yield* Clock.currentTimeMillis
    const took = now - before
    goodUntil = took < short ? now : now + Math.min(longest, took * rest)
    return known
  })
  return {
    read: one.withPermits(1)(renew),
    forget: Effect.sync(() => {
      goodUntil = Number.NEGATIVE_INFINITY
    })
  }
}
