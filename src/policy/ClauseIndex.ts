/**
 * The first of many items that takes what is known, without a look at most of
 * them: each is found by whichever of its clauses the fewest others share.
 */
import * as Slices from "../base/Slices.ts"
import type { Clause } from "./RuleSymbols.ts"

export interface ClauseIndex {
  /**
   * The lowest item before `end` that passes a test, or `end`. The test sees only items that may have all
   * their clauses met by the facts, but not only such.
   */
  readonly first: (facts: ReadonlyArray<number>, end: number, test: (item: number) => boolean) => number
}

/** Of items by their clauses, in whose numbers all are less than `size`. */
export function* making(items: ReadonlyArray<ReadonlyArray<Clause>>, size: number): Slices.Work<ClauseIndex> {
  const uses = new Uint32Array(size)
  const each = (clause: Clause, f: (number: number) => void) => {
    for (let i = 0; i < clause.length; i++) f(clause[i]!)
  }
  yield* Slices.each(items, (clauses) => {
    for (const clause of clauses)
      each(clause, (number) => {
        uses[number]!++
      })
  })

  const rarest = (clauses: ReadonlyArray<Clause>): Clause | undefined => {
    let best: Clause | undefined
    let least = Number.POSITIVE_INFINITY
    for (const clause of clauses) {
      let most = 0
      each(clause, (number) => {
        most = Math.max(most, uses[number]!)
      })
      if (most < least || (most === least && clause.length < best!.length)) {
        best = clause
        least = most
      }
    }
    return best
  }

  // The items of a number, and then those without a clause, one after another in one array.
  const keys = yield* Slices.map(items, rarest)
  const starts = new Uint32Array(size + 2)
  yield* Slices.each(keys, (key) =>
    each(key ?? [size], (number) => {
      starts[number + 1]!++
    })
  )
  for (let i = 0; i <= size; i++) starts[i + 1]! += starts[i]!
  const lists = new Uint32Array(starts[size + 1]!)
  const filled = starts.slice()
  yield* Slices.each(keys, (key, item) => {
    each(key ?? [size], (number) => {
      lists[filled[number]!++] = item
    })
  })

  return {
    first: (facts, end, test) => {
      let first = end
      const scan = (number: number) => {
        for (let at = starts[number]!; at < starts[number + 1]! && lists[at]! < first; at++) {
          if (test(lists[at]!)) first = lists[at]!
        }
      }
      for (let i = 0; i < facts.length; i++) scan(facts[i]!)
      scan(size)
      return first
    }
  }
}

/** Whether a fact meets a clause. */
export const meets = (facts: ReadonlyArray<number>, clause: Clause): boolean => {
  for (let i = 0; i < facts.length; i++) {
    if (clause.length > 16 ? search(clause, facts[i]!) : linear(clause, facts[i]!)) return true
  }
  return false
}

const linear = (clause: Clause, fact: number): boolean => {
  for (let i = 0; i < clause.length; i++) if (clause[i] === fact) return true
  return false
}

const search = (clause: Clause, fact: number): boolean => {
  let low = 0
  let high = clause.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (clause[middle]! < fact) low = middle + 1
    else high = middle
  }
  return clause[low] === fact
}
