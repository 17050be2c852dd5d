/**
 * What is counted across all connections of a server, in this process or in
 * several that serve together.
 *
 * What is asked here is answered at once. Where several processes count, "no"
 * may mean that there is nothing here, and then `more` asks the others.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as CounterMap from "../base/CounterMap.ts"
import * as TokenBuckets from "../base/TokenBuckets.ts"
import type { LimitError, TooManySessions } from "../Errors.ts"

/** How many sessions of a kind there are, and may be. */
export interface Places {
  /** Whether there may be one more, of so many in all. */
  readonly hasRoom: (key: string, limit: number) => boolean
  /** One more, or one less of those there are. */
  readonly change: (key: string, by: 1 | -1) => void
}

/** A counter without room in this process. */
export interface Shortage {
  /** Room for one more of `limit` in all; or a token, of `limit` a second. */
  readonly of: "place" | "token"
  readonly key: string
  readonly limit: number
}

/** Why a session is refused, and the counter to ask the other processes for. */
export interface Refused<E = TooManySessions | LimitError> {
  /** `wait` is how long it takes until there is a token, in milliseconds. */
  readonly error: (wait: number) => E
  readonly shortage?: Shortage
}

/** The counter has room now, for the caller of `release`; or the milliseconds until there is a token. */
export type Grant = { readonly release: () => void } | { readonly wait: number }

export interface SharedCounters {
  /** A number that no other session has. */
  readonly nextId: () => number
  readonly places: Places
  readonly rates: Pick<TokenBuckets.TokenBuckets, "take">
  /** Which part of the handshakes is this process's, from 0 to 1: they are not counted together. */
  readonly fraction: number
  readonly requestMore?: (lack: Shortage) => Effect.Effect<Grant>
}

/** Of this process alone. */
export const local = (): SharedCounters => {
  const counts = CounterMap.make()
  let count = 0
  return {
    nextId: () => ++count,
    fraction: 1,
    places: { hasRoom: (key, limit) => counts.of(key) < limit, change: counts.change },
    rates: TokenBuckets.make()
  }
}

/** How counting begins: alone, unless it says otherwise. */
export const SharedCounters = Context.Reference<() => SharedCounters>("effect-socks/limits/SharedCounters", {
  defaultValue: () => local
})
