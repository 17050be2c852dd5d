/**
 * The counters of a server over all its connections: of this process alone, or of
 * several processes that serve together.
 *
 * Every answer is synchronous. Where several processes count together, a refusal
 * may mean only that this process has nothing left. `requestMore` then asks the
 * others.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as CounterMap from "../base/CounterMap.ts"
import * as TokenBuckets from "../base/TokenBuckets.ts"
import type { LimitError, TooManySessions } from "../Errors.ts"

/** Counted limits: how many of a kind are in use, of at most so many. */
interface Slots {
  /** Whether one more may be in use, of `limit` in all. */
  readonly hasRoom: (key: string, limit: number) => boolean
  /** Counts one more in use, or one less. */
  readonly change: (key: string, by: 1 | -1) => void
}

/** A slot of `limit` in all, or a token of a bucket that gets `limit` a second. */
interface Counter {
  readonly kind: "slot" | "token"
  readonly key: string
  readonly limit: number
}

/** Why a session is refused. */
export interface Refused<E = TooManySessions | LimitError> {
  /** `wait` is how long it takes until there is a token, in milliseconds. */
  readonly error: (wait: number) => E
  /** The counter that has nothing left in this process. Other processes may have some: `requestMore`. */
  readonly exhausted?: Counter
}

/** The counter has room now, for the caller of `release`; or the milliseconds until there is a token. */
export type Grant = { readonly release: () => void } | { readonly wait: number }

export interface SharedCounters {
  /** A number for a new session, unique over all processes. */
  readonly nextId: () => number
  readonly slots: Slots
  readonly rates: Pick<TokenBuckets.TokenBuckets, "take">
  /** The part of this process in limits that are not counted together, such as that of handshakes: from 0 to 1. */
  readonly fraction: number
  /** Asks the other processes for one of this counter. Absent where there are none. */
  readonly requestMore?: (counter: Counter) => Effect.Effect<Grant>
  /** Reports to the other processes what is in use, as other limits hold from now on. Absent where there are none. */
  readonly declare?: () => void
}

/** Counters of this process alone. */
export const local = (): SharedCounters => {
  const counts = CounterMap.make()
  let count = 0
  return {
    nextId: () => ++count,
    fraction: 1,
    slots: { hasRoom: (key, limit) => counts.of(key) < limit, change: counts.change },
    rates: TokenBuckets.make()
  }
}

/** Makes the counters of a server; `local` by default. */
export const SharedCounters = Context.Reference<() => SharedCounters>("effect-socks/limits/SharedCounters", {
  defaultValue: () => local
})
