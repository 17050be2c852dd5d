/**
 * A sorted set as Redis has it, for the store in memory: members by their scores, and those of the same score by name.
 * A look at the first members, or at the place of one, costs no sort: a fleet of a thousand machines asks at each call.
 */

interface Entry {
  readonly member: string
  readonly score: number
}

export class SortedSet {
  private readonly entries = new Map<string, Entry>()
  /** The same, in their order. */
  private readonly order: Array<Entry> = []

  get size(): number {
    return this.order.length
  }

  score(member: string): number | undefined {
    return this.entries.get(member)?.score
  }

  set(member: string, score: number): void {
    this.delete(member)
    const entry = { member, score }
    this.entries.set(member, entry)
    this.order.splice(this.placeOf(entry), 0, entry)
  }

  delete(member: string): void {
    const entry = this.entries.get(member)
    if (entry === undefined) return
    this.entries.delete(member)
    this.order.splice(this.placeOf(entry), 1)
  }

  /** The place of a member, from 0 on. */
  rank(member: string): number | undefined {
    const entry = this.entries.get(member)
    return entry && this.placeOf(entry)
  }

  /** The members with a score up to this. */
  upTo(most: number): ReadonlyArray<string> {
    const { order } = this
    const members: Array<string> = []
    for (let place = 0; place < order.length && order[place]!.score <= most; place++) {
      members.push(order[place]!.member)
    }
    return members
  }

  copy(): SortedSet {
    const copy = new SortedSet()
    for (const entry of this.order) {
      copy.entries.set(entry.member, entry)
      copy.order.push(entry)
    }
    return copy
  }

  /** The number of entries before this one. */
  private placeOf({ member, score }: Entry): number {
    let [from, to] = [0, this.order.length]
    while (from < to) {
      const middle = (from + to) >> 1
      const other = this.order[middle]!
      if (other.score < score || (other.score === score && other.member < member)) from = middle + 1
      else to = middle
    }
    return from
  }
}
