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
  /** The place in the heap, or among the members that are set aside. */
  place: number
  isAside: boolean
}

/** The most members that are set aside of which a choice looks whether they may be used again. */
const looks = 32

export class LoadHeap<C extends Loaded> {
  /** No entry has a smaller load than the one above it. */
  private readonly heap: Array<Entry<C>>
  private readonly entries: ReadonlyMap<C, Entry<C>>
  /** Members that could not be used, so that not every choice comes upon them. */
  private readonly aside: Array<Entry<C>> = []
  private next = 0

  constructor(members: ReadonlyArray<C>) {
    this.heap = members.map((member, order) => ({ member, order, place: order, isAside: false }))
    this.entries = new Map(this.heap.map((entry) => [entry.member, entry]))
    for (let place = (members.length >> 1) - 1; place >= 0; place--) this.sink(this.heap[place]!)
  }

  /** Moves a member after the number of its sessions has changed. */
  update(member: C): void {
    const entry = this.entries.get(member)
    if (entry === undefined || entry.isAside) return
    this.rise(entry)
    this.sink(entry)
  }

  /**
   * The member with the smallest load that may be used. Of equal loads it is the first in the order of the members. One
   * that could not be used before may wait for some further choices, if there are many of these.
   */
  first(mayUse: (member: C) => boolean): C | undefined {
    for (let left = Math.min(looks, this.aside.length); left > 0; left--) {
      if (this.next >= this.aside.length) this.next = 0
      const entry = this.aside[this.next]!
      if (mayUse(entry.member)) this.putBack(entry)
      else this.next++
    }
    for (let top = this.heap[0]; top !== undefined; top = this.heap[0]) {
      if (mayUse(top.member)) return top.member
      this.setAside(top)
    }
    const usable = this.aside.filter(({ member }) => mayUse(member))
    for (const entry of usable) this.putBack(entry)
    return this.heap[0]?.member
  }

  private setAside(entry: Entry<C>): void {
    const last = this.heap.pop()!
    if (last !== entry) {
      last.place = entry.place
      this.heap[last.place] = last
      this.rise(last)
      this.sink(last)
    }
    entry.isAside = true
    entry.place = this.aside.push(entry) - 1
  }

  private putBack(entry: Entry<C>): void {
    const last = this.aside.pop()!
    if (last !== entry) {
      last.place = entry.place
      this.aside[last.place] = last
    }
    entry.isAside = false
    entry.place = this.heap.push(entry) - 1
    this.rise(entry)
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

/** The sessions for each part of the weight, with the session that is to come. */
const loadOf = ({ sessions, weight }: Loaded): number => (sessions + 1) / weight
