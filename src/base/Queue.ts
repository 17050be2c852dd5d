/**
 * A queue from which entries are deleted at any place, thousands of times a second. `LiveSet` says what is wrong with a
 * Set there.
 */
export interface Entry<A> {
  readonly item: A
  before: Entry<A> | undefined
  after: Entry<A> | undefined
  isIn: boolean
}

export class Queue<A> {
  first: Entry<A> | undefined
  private last: Entry<A> | undefined

  /** Adds an item at the end. Returns what `delete` takes. */
  add(item: A): Entry<A> {
    const entry: Entry<A> = { item, before: this.last, after: undefined, isIn: true }
    if (this.last === undefined) this.first = entry
    else this.last.after = entry
    this.last = entry
    return entry
  }

  /** Deletes an entry, unless that is done already. The entry then refers to no other. */
  delete(entry: Entry<A>): void {
    if (!entry.isIn) return
    entry.isIn = false
    const { before, after } = entry
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.last = before
    else after.before = before
    entry.before = undefined
    entry.after = undefined
  }
}
