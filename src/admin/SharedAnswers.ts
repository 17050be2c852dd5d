/**
 * Answers to requests that read. All who ask for the same at the same time share one answer and its bytes, and making
 * answers takes a small part of the time, however many ask: readers do not slow the relay.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as LruMap from "../base/LruMap.ts"

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export interface SharedAnswers {
  /** The answer to a request for this target, of a moment ago where many ask. */
  readonly read: (target: string) => Effect.Effect<Answer>
  /** From here on, answers are made anew: something was changed. */
  readonly forget: () => void
}

/** The part of the time in which answers are made. */
const part = 0.05

/** Milliseconds of making that are possible at once, after a while in which nobody asked. */
const burst = 100

/** The least and the most that an answer counts, in milliseconds. The most, because workers and other fibers take time, too. */
const least = 4
const most = 50

/** Milliseconds for which readers get the same answer, where it takes too much of the time to make them. */
const sharedFor = 1000

/** Milliseconds between two readers who ask for the same, below which many ask, who get the same answer for so long. */
const often = 100
const sharedByMany = 500

/** The weight of the last of these times in their average. */
const weight = 0.2

/** The most answers that are made at the same time, and with those that wait. */
const mostAtOnce = 4
const mostWaiting = 64

/** The largest size of the answers that are kept, in bytes. */
const largest = 8 * 1024 * 1024

interface Made {
  readonly answer: Answer
  readonly at: number
}

/** When a target was asked for the last time, and the average time between two readers. */
interface Asked {
  at: number
  pause: number
}

/** Makes answers by `produce`, which does not fail, until the scope closes. */
export const make = Effect.fnUntraced(function* (
  produce: (target: string) => Effect.Effect<Answer>
): Effect.fn.Return<SharedAnswers, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  const now = () => clock.currentTimeMillisUnsafe()
  /** The oldest first. */
  let made = new Map<string, Made>()
  let making = new Map<string, Deferred.Deferred<Answer>>()
  const asked = LruMap.make<string, Asked>(64)
  const turns = yield* Semaphore.make(mostAtOnce)
  let waiting = 0
  let size = 0
  let left = burst
  let at = now()

  /** Milliseconds until an answer may be made. */
  const pause = (): number => {
    const time = now()
    left = Math.min(burst, left + Math.max(0, time - at) * part)
    at = time
    return left > 0 ? 0 : Math.ceil(-left / part) + 1
  }

  /** Whether many ask for a target, with this reader. */
  const isOften = (target: string, time: number): boolean => {
    const known = asked.get(target)
    if (known === undefined) {
      asked.set(target, { at: time, pause: sharedFor })
      return false
    }
    known.pause += (Math.min(time - known.at, sharedFor) - known.pause) * weight
    known.at = time
    return known.pause < often
  }

  const keep = (target: string, answer: Answer) => {
    remove(target)
    made.set(target, { answer, at: now() })
    size += answer.body.length
    for (const [other, { at }] of made) {
      if (size <= largest && at > now() - sharedFor) break
      remove(other)
    }
  }
  const remove = (target: string) => {
    size -= made.get(target)?.answer.body.length ?? 0
    made.delete(target)
  }

  const produced = Effect.fnUntraced(function* (target: string) {
    for (let wait = pause(); wait > 0; wait = pause()) yield* Effect.sleep(wait)
    const before = clock.monotonicTimeNanosUnsafe()
    const answer = yield* produce(target)
    left -= Math.max(least, Math.min(most, Number(clock.monotonicTimeNanosUnsafe() - before) / 1e6))
    return answer
  })

  const begin = Effect.fnUntraced(function* (target: string, done: Deferred.Deferred<Answer>) {
    const generation = making
    waiting++
    const answer = yield* turns.withPermits(1)(produced(target))
    waiting--
    if (generation === making) {
      making.delete(target)
      // What was refused is not asked for again and again.
      if (answer.status === 200) keep(target, answer)
    }
    Deferred.doneUnsafe(done, Effect.succeed(answer))
  })

  return {
    read: (target) =>
      Effect.suspend(() => {
        const time = now()
        const byMany = isOften(target, time) ? sharedByMany : 0
        const underWay = making.get(target)
        if (underWay) return Deferred.await(underWay)
        const known = made.get(target)
        if (known && time - known.at < (pause() > 0 ? sharedFor : byMany)) return Effect.succeed(known.answer)
        if (waiting >= mostWaiting) return Effect.succeed(busy)
        const done = Deferred.makeUnsafe<Answer>()
        making.set(target, done)
        return Effect.andThen(
          Effect.forkIn(begin(target, done), scope, { startImmediately: true }),
          Deferred.await(done)
        )
      }),
    forget: () => {
      made = new Map()
      making = new Map()
      size = 0
    }
  }
})

/** To who asks for more than can wait. */
export const busy: Answer = {
  status: 503,
  headers: { "content-type": "application/json", "retry-after": "1" },
  body: new TextEncoder().encode('{"_tag":"Busy","message":"too many ask for too much at once"}')
}
