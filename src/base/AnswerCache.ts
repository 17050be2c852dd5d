/**
 * A cache of answers that take long to find. Concurrent requests for the same
 * answer share one search, and each answer is kept for as long as it holds.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"

export interface Answer<out A> {
  readonly value: A
  /** How long the answer is kept, in milliseconds; 0 for not at all. */
  readonly holdsFor: number
}

export interface AnswerCache<in out A, in out E> {
  /**
   * The answer for this key. A search without waiting requests is stopped, unless
   * few enough of these are under way.
   */
  readonly get: (key: string, find: Effect.Effect<Answer<A>, E>) => Effect.Effect<A, E>
}

interface Search<A, E> {
  readonly fiber: Fiber.Fiber<A, E>
  waiting: number
}

/**
 * Keeps at most `limit` answers; the oldest go first. At most `unattended` searches
 * go on to their end without a waiting request.
 */
export const make = Effect.fnUntraced(function* <A, E>(
  limit: number,
  mostUnawaited = 0
): Effect.fn.Return<AnswerCache<A, E>, never, Scope.Scope> {
  const fork = yield* FiberSet.makeRuntime<never, A, E>()
  const clock = yield* Clock.clockWith(Effect.succeed)
  const known = new Map<string, { readonly value: A; readonly until: number }>()
  const searches = new Map<string, Search<A, E>>()
  const unawaited = new Set<Search<A, E>>()

  const remember = (key: string, { value, holdsFor }: Answer<A>): A => {
    known.delete(key)
    if (holdsFor > 0) known.set(key, { value, until: clock.currentTimeMillisUnsafe() + holdsFor })
    if (known.size > limit) known.delete(known.keys().next().value!)
    return value
  }

  const join = (key: string, find: Effect.Effect<Answer<A>, E>): Search<A, E> => {
    let search = searches.get(key)
    if (search === undefined) {
      const started = { fiber: fork(Effect.map(find, (answer) => remember(key, answer))), waiting: 0 }
      started.fiber.addObserver(() => forget(key, started))
      searches.set(key, started)
      search = started
    }
    unawaited.delete(search)
    search.waiting++
    return search
  }

  const leave = (key: string, search: Search<A, E>) => {
    if (--search.waiting > 0) return
    if (searches.get(key) === search && unawaited.size < mostUnawaited) {
      unawaited.add(search)
      return
    }
    forget(key, search)
    search.fiber.interruptUnsafe()
  }

  const forget = (key: string, search: Search<A, E>) => {
    unawaited.delete(search)
    if (searches.get(key) === search) searches.delete(key)
  }

  return {
    get: (key, find) =>
      Effect.suspend(() => {
        const answer = known.get(key)
        if (answer && answer.until > clock.currentTimeMillisUnsafe()) return Effect.succeed(answer.value)
        return Effect.acquireUseRelease(
          Effect.sync(() => join(key, find)),
          ({ fiber }) => Fiber.join(fiber),
          (search) => Effect.sync(() => leave(key, search))
        )
      })
  }
})
