/**
 * Finds the first of many items whose clauses are met by the facts. Each item is indexed by the
 * facts of its rarest clause, so few other items are tested.
 */
import type { ListTable } from "../base/ListTable.ts"
import * as Slices from "../base/Slices.ts"

export interface ClauseIndex {
  /**
   * The lowest item before `end` that passes a test, or `end`. The test sees only items that may have all
   * their clauses met by the facts, but not only such.
   */
  readonly first: (facts: ReadonlyArray<number>, end: number, test: (item: number) => boolean) => number
}

/** Items by their clauses. A clause is a list of facts, of which one has to be known. */
interface Items {
  /** The number of items. */
  readonly count: number
  readonly lists: ListTable
  /** Calls `visit` with the list of each clause of an item. */
  readonly clausesOf: (item: number, visit: (list: number) => void) => void
  /** All facts are numbers below `size`. */
  readonly size: number
}

export function* build({ count, lists, clausesOf, size }: Items): Slices.Work<ClauseIndex> {
  const { items } = lists.items
  const begins = lists.starts.items
  const uses = new Uint32Array(size)
  const use = (list: number) => {
    for (let at = begins[list]!; at < begins[list + 1]!; at++) uses[items[at]!]!++
  }
  yield* Slices.count(count, (item) => clausesOf(item, use))

  // The clause by which each item is indexed: the one whose most used fact is used least.
  const keys = new Int32Array(count).fill(-1)
  let least = 0
  let of = 0
  const compare = (list: number) => {
    let most = 0
    for (let at = begins[list]!; at < begins[list + 1]!; at++) most = Math.max(most, uses[items[at]!]!)
    const best = keys[of]!
    const isShorter = best !== -1 && lengthOf(list) < lengthOf(best)
    if (best === -1 || most < least || (most === least && isShorter)) {
      keys[of] = list
      least = most
    }
  }
  const lengthOf = (list: number) => begins[list + 1]! - begins[list]!
  // The items of a fact, and then those without a clause, one after another in one array.
  const starts = new Uint32Array(size + 2)
  const each = (item: number, visit: (fact: number) => void) => {
    const list = keys[item]!
    if (list === -1) return visit(size)
    for (let at = begins[list]!; at < begins[list + 1]!; at++) visit(items[at]!)
  }
  const reserve = (fact: number) => {
    starts[fact + 1]!++
  }
  yield* Slices.count(count, (item) => {
    of = item
    clausesOf(item, compare)
    each(item, reserve)
  })
  for (let i = 0; i <= size; i++) starts[i + 1]! += starts[i]!
  const found = new Uint32Array(starts[size + 1]!)
  const filled = starts.slice()
  let entered = 0
  const enter = (fact: number) => {
    found[filled[fact]!++] = entered
  }
  yield* Slices.count(count, (item) => {
    entered = item
    each(item, enter)
  })
  return ready(starts, found, size)
}

/** Separate from `build`, so that the closures keep nothing else of it. */
const ready = (starts: Uint32Array, found: Uint32Array, size: number): ClauseIndex => ({
  first: (facts, end, test) => {
    let first = end
    const scan = (fact: number) => {
      for (let at = starts[fact]!; at < starts[fact + 1]! && found[at]! < first; at++) {
        if (test(found[at]!)) first = found[at]!
      }
    }
    for (let i = 0; i < facts.length; i++) scan(facts[i]!)
    scan(size)
    return first
  }
})
