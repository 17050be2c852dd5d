/**
 * Texts of several kinds, numbered from 0, in a hash table of a few large arrays.
 * The garbage collector has no more work with many texts than with one.
 *
 * The same text of two kinds has two numbers. A text is hashed from its end, so
 * that one pass over a name finds all suffixes of the name.
 */
import * as HashSlots from "./HashSlots.ts"
import { grown, Ints } from "./Ints.ts"

export interface TextTableParts {
  readonly chars: Uint16Array
  readonly starts: Int32Array
  readonly kinds: Uint8Array
  readonly hashes: Int32Array
  readonly slots: Int32Array
}

export class TextTable {
  /** The characters of all texts, one text after another. */
  private chars: Uint16Array
  /** The index in `chars` at which each text begins, and at the end the number of characters. */
  private readonly starts: Ints
  private kinds: Uint8Array
  private readonly hashes: Ints
  /** The slots of the hash table: see `HashSlots`. */
  private slots: Int32Array

  /** An empty table, or a table with the texts in the parts of another table. */
  constructor(parts: TextTableParts = empty()) {
    this.chars = parts.chars
    this.starts = new Ints(parts.starts)
    this.kinds = parts.kinds
    this.hashes = new Ints(parts.hashes)
    this.slots = parts.slots
  }

  /** The table as plain arrays, to be copied to another process. */
  get parts(): TextTableParts {
    const { slots, size } = this
    return {
      chars: this.chars.subarray(0, this.starts.items[size]),
      starts: this.starts.all,
      kinds: this.kinds.subarray(0, size),
      hashes: this.hashes.all,
      slots
    }
  }

  /** The number of texts. */
  get size(): number {
    return this.hashes.length
  }

  /** The number of a text, which is added if it is new. */
  intern(kind: number, text: string): number {
    const hash = mixed(hashOf(text), kind)
    const known = this.lookup(hash, kind, text, 0)
    return known === -1 ? this.add(hash, kind, text) : known
  }

  /** The number of a text, or -1. */
  find(kind: number, text: string): number {
    return this.lookup(mixed(hashOf(text), kind), kind, text, 0)
  }

  /**
   * Appends to `found` the numbers of the texts of kind `below` that are a suffix of the name after a dot, the shortest
   * first, and then the number of the text of kind `exact` that equals the name.
   */
  findName(name: string, exact: number, below: number, found: Array<number>): void {
    let hash = seed
    for (let at = name.length - 1; at >= 0; at--) {
      const code = name.charCodeAt(at)
      if (code === dot && at > 0) {
        const number = this.lookup(mixed(hash, below), below, name, at + 1)
        if (number !== -1) found.push(number)
      }
      hash = Math.imul(hash ^ code, prime)
    }
    const number = this.lookup(mixed(hash, exact), exact, name, 0)
    if (number !== -1) found.push(number)
  }

  kind(number: number): number {
    return this.kinds[number]!
  }

  text(number: number): string {
    const start = this.starts.items[number]!
    const end = this.starts.items[number + 1]!
    let text = ""
    for (let from = start; from < end; from += piece) {
      text += String.fromCharCode.apply(null, this.chars.subarray(from, Math.min(end, from + piece)) as never)
    }
    return text
  }

  private lookup(hash: number, kind: number, text: string, from: number): number {
    const { slots } = this
    const mask = slots.length - 1
    for (let slot = hash & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const number = slots[slot]! - 1
      if (this.hashes.items[number] === hash && this.isText(number, kind, text, from)) return number
    }
    return -1
  }

  /** Whether the text with this number equals `text` from the index `from` on. */
  private isText(number: number, kind: number, text: string, from: number): boolean {
    const start = this.starts.items[number]!
    const length = text.length - from
    if (this.starts.items[number + 1]! - start !== length || this.kinds[number] !== kind) return false
    const { chars } = this
    for (let i = 0; i < length; i++) if (chars[start + i] !== text.charCodeAt(from + i)) return false
    return true
  }

  private add(hash: number, kind: number, text: string): number {
    const number = this.hashes.push(hash)
    const start = this.starts.items[number]!
    const end = start + text.length
    if (end > this.chars.length) this.chars = grown(this.chars, end)
    for (let i = 0; i < text.length; i++) this.chars[start + i] = text.charCodeAt(i)
    this.starts.push(end)
    if (number === this.kinds.length) this.kinds = grown(this.kinds, number + 1)
    this.kinds[number] = kind
    if (2 * this.size > this.slots.length)
      this.slots = HashSlots.doubled(this.slots, this.hashes.items, this.size)
    else HashSlots.enter(this.slots, hash, number)
    return number
  }
}

const empty = (): TextTableParts => ({
  chars: new Uint16Array(64),
  starts: Int32Array.of(0),
  kinds: new Uint8Array(16),
  hashes: new Int32Array(0),
  slots: new Int32Array(32)
})

const dot = 46

/** FNV-1a, a code unit at a time. */
const seed = 0x811c9dc5 | 0
const prime = 0x01000193

const hashOf = (text: string): number => {
  let hash = seed
  for (let at = text.length - 1; at >= 0; at--) hash = Math.imul(hash ^ text.charCodeAt(at), prime)
  return hash
}

/** Mixes all bits into the lower bits, by which slots are chosen. */
const mixed = (hash: number, kind: number): number => {
  let bits = Math.imul(hash ^ Math.imul(kind + 1, 0x9e3779b1), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}

/** The most arguments of one call of `String.fromCharCode`. */
const piece = 4096
