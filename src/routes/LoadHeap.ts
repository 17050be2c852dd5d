/**
 * Members by their load, the one with the fewest sessions for its weight first: a binary heap in which a member moves
 * when the number of its sessions changes.
 */

/** What the load of a member is computed from. */
interface Loaded {
  readonly weight: number
  readonly sessions: number
}

interface Entry<C> {
  readonly member: C
  /** The place in the order of the members, which decides between equal loads. */
  readonly order: number
  /** The place in the heap. */
  place: number
}

export class LoadHeap<C extends Loaded> {
  /** No entry has a smaller load than the one above it. */
  private readonly heap: Array<Entry<C>>
  private readonly entries: ReadonlyMap<C, Entry<C>>

  constructor(members: ReadonlyArray<C>) {
    this.heap = members.map((member, order) => ({ member, order, place: order }))
    this.entries = new Map(this.heap.map((entry) => [entry.member, entry]))
    for (let place = (members.length >> 1) - 1; place >= 0; place--) this.sink(this.heap[place]!)
  }

  /** Moves a member after the number of its sessions has changed. */
  update(member: C): void {
    const entry = this.entries.get(member)
    if (entry === undefined) return
    this.rise(entry)
    this.sink(entry)
  }

  /**
   * The member with the smallest load that may be used. Of equal loads it is the first in the order of the members.
   * Takes time for the members with smaller loads that may not be used only.
   */
  first(mayUse: (member: C) => boolean): C | undefined {
    // The smallest load is last. An entry comes after the one above it has gone.
    const next = this.heap.slice(0, 1)
    for (let entry = next.pop(); entry !== undefined; entry = next.pop()) {
      if (mayUse(entry.member)) return entry.member
      for (const below of this.below(entry)) next.splice(indexIn(next, below), 0, below)
    }
    return undefined
  }

  private below({ place }: Entry<C>): ReadonlyArray<Entry<C>> {
    return this.heap.slice(2 * place + 1, 2 * place + 3)
  }

  private rise(entry: Entry<C>): void {
    while (entry.place > 0) {
      const above = this.heap[(entry.place - 1) >> 1]!
      if (!isBefore(entry, above)) return
      this.swap(entry, above)
    }
  }

  private sink(entry: Entry<C>): void {
    for (;;) {
      const left = this.heap[2 * entry.place + 1]
      const right = this.heap[2 * entry.place + 2]
      if (left === undefined) return
      const least = right !== undefined && isBefore(right, left) ? right : left
      if (!isBefore(least, entry)) return
      this.swap(entry, least)
    }
  }

  private swap(one: Entry<C>, other: Entry<C>): void {
    const { place } = one
    one.place = other.place
    other.place = place
    this.heap[one.place] = one
    this.heap[other.place] = other
  }
}

const isBefore = <C extends Loaded>(one: Entry<C>, other: Entry<C>): boolean => {
  const difference = loadOf(one.member) - loadOf(other.member)
  return difference < 0 || (difference === 0 && one.order < other.order)
}

/** The index in the list, smallest load last, by bisection. */
const indexIn = <C extends Loaded>(list: ReadonlyArray<Entry<C>>, entry: Entry<C>): number => {
  let [low, high] = [0, list.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (isBefore(entry, list[middle]!)) low = middle + 1
    else high = middle
  }
  return low
}

/** The sessions for each part of the weight, with the session that is to come. */
const loadOf = ({ sessions, weight }: Loaded): number => (sessions + 1) / weight
