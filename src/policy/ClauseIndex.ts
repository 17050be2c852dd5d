/**
 * The first of many items that takes what is known, without a look at most of
 * them: each is found by whichever of its clauses the fewest others share.
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

/** Items by their clauses: lists of facts of which one has to be known. */
interface Items {
  /** How many there are. */
  readonly count: number
  readonly lists: ListTable
  /** Calls this with the list of each clause of an item. */
  readonly clausesOf: (item: number, visit: (list: number) => void) => void
  /** All facts are less than this. */
  readonly size: number
}

export function* making({ count, lists, clausesOf, size }: Items): Slices.Work<ClauseIndex> {
  const { items } = lists.items
  const begins = lists.starts.items
  const uses = new Uint32Array(size)
  const use = (list: number) => {
    for (let at = begins[list]!; at < begins[list + 1]!; at++) uses[items[at]!]!++
  }
  yield* Slices.count(count, (item) => clausesOf(item, use))

  // The clause by which each is found, and how often it is used at most.
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

/** Apart from where they are made, so that nothing else of that is kept. */
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
