/**
 * What was seen of the members of routes. It outlives a reload, as long as a member stays: so a reload makes nobody try an
 * upstream again that fails, and sessions that are open are counted.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Breaker } from "./Breaker.ts"

/** What was seen of a member. */
export interface MemberState {
  readonly breaker: Breaker
  /** The number of sessions that use it now. */
  sessions: number
  failures: number
  /** Milliseconds since the epoch when the member was left alone, or worked again. */
  changedAt: number | undefined
  /** What was wrong the last time; undefined while nothing was. */
  error: string | undefined
  /** What is called after the number of sessions has changed. */
  readonly listeners: Set<() => void>
}

export const unseen = (): MemberState => ({
  ...{ breaker: new Breaker(), sessions: 0, failures: 0, listeners: new Set() },
  ...{ changedAt: undefined, error: undefined }
})

/** Counts a session that begins, or ends. */
export const count = (state: MemberState, difference: 1 | -1): void => {
  state.sessions += difference
  for (const listener of state.listeners) listener()
}

export interface MemberStates {
  /** The state of the member with this key, until the scopes of all that use the member have closed. */
  readonly of: (key: string) => Effect.Effect<MemberState, never, Scope.Scope>
  /** Begins a generation of settings. Returns whether it is the last one that began, of those whose scopes are open. */
  readonly begin: Effect.Effect<() => boolean, never, Scope.Scope>
}

/** The states that all generations of a server share; undefined where there is one generation only. */
export const CurrentMemberStates = Context.Reference<MemberStates | undefined>(
  "effect-socks/routes/CurrentMemberStates",
  { defaultValue: () => undefined }
)

export const make = (): MemberStates => {
  const kept = new Map<string, MemberState & { uses: number }>()
  const generations = new Set<object>()
  return {
    of: (key) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const found = kept.get(key) ?? { ...unseen(), uses: 0 }
          found.uses++
          kept.set(key, found)
          return found
        }),
        (found) =>
          Effect.sync(() => {
            if (--found.uses === 0) kept.delete(key)
          })
      ),
    begin: Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => {
          const generation = {}
          generations.add(generation)
          return generation
        }),
        (generation) => Effect.sync(() => void generations.delete(generation))
      ),
      (generation) => () => [...generations].at(-1) === generation
    )
  }
}
