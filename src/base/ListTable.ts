/**
 * Lists of integers, numbered from 0; equal lists have the same number. The table
 * is a hash table in a few large arrays.
 */
import * as HashSlots from "./HashSlots.ts"
import { Ints } from "./Ints.ts"

export interface ListTableParts {
  readonly items: Int32Array
  readonly starts: Int32Array
  readonly hashes: Int32Array
  readonly slots: Int32Array
}

export class ListTable {
  /** The items of all lists, one list after another. */
  readonly items: Ints
  /** The index in `items` at which each list begins, and at the end the length of `items`. */
  readonly starts: Ints
  private readonly hashes: Ints
  /** The slots of the hash table: see `HashSlots`. */
  private slots: Int32Array

  /** An empty table, or a table with the lists in the parts of another table. */
  constructor(parts: ListTableParts = empty()) {
    this.items = new Ints(parts.items)
    this.starts = new Ints(parts.starts)
    this.hashes = new Ints(parts.hashes)
    this.slots = parts.slots
  }

  /** The table as plain arrays, to be copied to another process. */
  get parts(): ListTableParts {
    return { items: this.items.all, starts: this.starts.all, hashes: this.hashes.all, slots: this.slots }
  }

  /** The number of lists. */
  get size(): number {
    return this.hashes.length
  }

  /** The number of a list, which is added if it is new. */
  intern(list: ArrayLike<number>): number {
    const hash = hashOf(list)
    const { slots } = this
    const mask = slots.length - 1
    for (let slot = hash & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const number = slots[slot]! - 1
      if (this.hashes.items[number] === hash && this.isList(number, list)) return number
    }
    return this.add(hash, list)
  }

  list(number: number): Int32Array {
    return this.items.items.subarray(this.starts.items[number], this.starts.items[number + 1])
  }

  length(number: number): number {
    return this.starts.items[number + 1]! - this.starts.items[number]!
  }

  /** The item of a list at an index. */
  item(number: number, at: number): number {
    return this.items.items[this.starts.items[number]! + at]!
  }

  private isList(number: number, list: ArrayLike<number>): boolean {
    const start = this.starts.items[number]!
    if (this.starts.items[number + 1]! - start !== list.length) return false
    for (let i = 0; i < list.length; i++) if (this.items.items[start + i] !== list[i]) return false
    return true
  }

  private add(hash: number, list: ArrayLike<number>): number {
    const number = this.hashes.push(hash)
    for (let i = 0; i < list.length; i++) this.items.push(list[i]!)
    this.starts.push(this.items.length)
    if (2 * this.size > this.slots.length)
      this.slots = HashSlots.doubled(this.slots, this.hashes.items, this.size)
    else HashSlots.enter(this.slots, hash, number)
    return number
  }
}

const empty = (): ListTableParts => ({
  items: new Int32Array(0),
  starts: Int32Array.of(0),
  hashes: new Int32Array(0),
  slots: new Int32Array(32)
})

const hashOf = (list: ArrayLike<number>): number => {
  let hash = list.length
  for (let i = 0; i < list.length; i++) {
    hash = Math.imul(hash ^ list[i]!, 0x85ebca6b)
    hash ^= hash >>> 13
  }
  hash = Math.imul(hash, 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
