/**
 * Long work in short pieces, so that sessions go on while it is done.
 */
import * as Effect from "effect/Effect"

/** Work that may pause wherever it yields. */
export type Work<A> = Generator<void, A>

/** The longest time that others wait, in milliseconds, if no piece takes longer. */
const budget = 4

/** Does the work in slices, with the event loop in between. */
export const run = <A>(work: Work<A>): Effect.Effect<A> =>
  Effect.gen(function* () {
    while (true) {
      const until = performance.now() + budget
      do {
        const step = work.next()
        if (step.done) return step.value
      } while (performance.now() < until)
      yield* Effect.yieldNow
    }
  })

/** Does the work at once. */
export const runSync = <A>(work: Work<A>): A => {
  while (true) {
    const step = work.next()
    if (step.done) return step.value
  }
}

/** Maps the items, a few hundred in a piece. */
export function* map<A, B>(items: ReadonlyArray<A>, f: (item: A, index: number) => B): Work<Array<B>> {
  const mapped: Array<B> = []
  for (let i = 0; i < items.length; i++) {
    mapped.push(f(items[i]!, i))
    if ((i & 255) === 255) yield
  }
  return mapped
}

/** Calls a function with each item, a few hundred in a piece. */
export const each = <A>(items: ReadonlyArray<A>, f: (item: A, index: number) => void): Work<void> =>
  count(items.length, (index) => f(items[index]!, index))

/** Calls a function so many times, a few hundred in a piece. */
export function* count(times: number, f: (index: number) => void): Work<void> {
  for (let index = 0; index < times; index++) {
    f(index)
    if ((index & 255) === 255) yield
  }
}
