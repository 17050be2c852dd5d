/**
 * Long work in short pieces, so that sessions go on while it is done.
 */
import * as Effect from "effect/Effect"

/** Work that may be left alone for a while wherever it yields. */
export type Work<A> = Generator<void, A>

/** How long others wait for their turn, in milliseconds, but for what a single piece takes. */
const budget = 4

/** Does the work, with others in between. */
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

/** Something for each item, a few hundred of them in a piece. */
export function* map<A, B>(items: ReadonlyArray<A>, f: (item: A, index: number) => B): Work<Array<B>> {
  const mapped: Array<B> = []
  for (let i = 0; i < items.length; i++) {
    mapped.push(f(items[i]!, i))
    if ((i & 255) === 255) yield
  }
  return mapped
}

/** Does something with each item, a few hundred of them in a piece. */
export const each = <A>(items: ReadonlyArray<A>, f: (item: A, index: number) => void): Work<void> =>
  count(items.length, (index) => f(items[index]!, index))

/** Does something so many times, a few hundred of them in a piece. */
export function* count(times: number, f: (index: number) => void): Work<void> {
  for (let index = 0; index < times; index++) {
    f(index)
    if ((index & 255) === 255) yield
  }
}
