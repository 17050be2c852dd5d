/**
 * Long work in short pieces, so that sessions go on while it is done.
 */
import * as Effect from "effect/Effect"

/** Work that may pause wherever it yields. */
export type Work<A> = Generator<void, A>

/** The longest time that others wait, in milliseconds, if no piece takes longer. */
const longest = 4

/** Does the work in slices of so many milliseconds, with the event loop in between. */
export const run = <A>(work: Work<A>, budget = longest): Effect.Effect<A> =>
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
export const map = <A, B>(items: ReadonlyArray<A>, f: (item: A, index: number) => B): Work<Array<B>> =>
  append([], items, f)

/** These items, and then the mapped ones. */
export function* append<A, B>(
  first: ReadonlyArray<B>,
  items: ReadonlyArray<A>,
  f: (item: A, index: number) => B
): Work<Array<B>> {
  const mapped = [...first]
  for (let i = 0; i < items.length; i++) {
    mapped.push(f(items[i]!, i))
    if ((i & 255) === 255) yield
  }
  return mapped
}

/** The items for which this is true, a few hundred in a piece. */
export function* filter<A>(items: ReadonlyArray<A>, isChosen: (item: A) => boolean): Work<Array<A>> {
  const chosen: Array<A> = []
  yield* each(items, (item) => {
    if (isChosen(item)) chosen.push(item)
  })
  return chosen
}

/** The first item for which this is true; undefined if there is none. */
export function* find<A>(items: ReadonlyArray<A>, isFound: (item: A) => boolean): Work<A | undefined> {
  for (let i = 0; i < items.length; i++) {
    if (isFound(items[i]!)) return items[i]
    if ((i & 255) === 255) yield
  }
  return undefined
}

/** The set of the items. */
export function* set<A>(items: Iterable<A>): Work<ReadonlySet<A>> {
  const found = new Set<A>()
  let count = 0
  for (const item of items) {
    found.add(item)
    if ((++count & 255) === 0) yield
  }
  return found
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

/** Sorts the items, as `Array.toSorted` does: runs of a few hundred, which are then merged. */
export function* sort<A>(
  items: ReadonlyArray<A>,
  compare: (one: A, other: A) => number
): Work<ReadonlyArray<A>> {
  const { length } = items
  let sorted: Array<A> = []
  for (let start = 0; start < length; start += runLength) {
    sorted.push(...items.slice(start, start + runLength).sort(compare))
    yield
  }
  for (let width = runLength; width < length; width *= 2) {
    const merged: Array<A> = []
    for (let left = 0; left < length; left += 2 * width) {
      const middle = Math.min(left + width, length)
      const right = Math.min(middle + width, length)
      let [one, other] = [left, middle]
      while (one < middle || other < right) {
        const isFirst = other === right || (one < middle && compare(sorted[one]!, sorted[other]!) <= 0)
        merged.push(isFirst ? sorted[one++]! : sorted[other++]!)
        if ((merged.length & 255) === 0) yield
      }
    }
    sorted = merged
  }
  return sorted
}

/** The number of items that are sorted at once. */
const runLength = 256
