/**
 * Which of many names, and of many `*.suffix`, a name is: in a step for each of
 * its labels, however many there are.
 *
 * The labels are edges, read from the right, and kept in one hash table of
 * integers. Their text is that of the names they came from, so that 100,000
 * names take no more beside themselves than a few arrays.
 */
import * as Slices from "../base/Slices.ts"

/** A name without a trailing dot; or if `below`, every name that ends in it, at any depth, but not itself. */
export interface Key {
  /** Empty, and `below`: every name. */
  readonly name: string
  readonly below: boolean
}

export interface NameTrie {
  /** Puts the positions of the keys that a name meets behind what is found already. */
  readonly match: (name: string, found: Array<number>) => void
}

/** Of keys that all differ. */
export const make = (keys: ReadonlyArray<Key>): NameTrie => Slices.runSync(making(keys))

/** The same in pieces. */
export function* making(keys: ReadonlyArray<Key>): Slices.Work<NameTrie> {
  let most = 1
  // The names alone: what comes with them is in arrays below.
  const names = yield* Slices.map(keys, ({ name }) => {
    most += labelsOf(name)
    return name
  })
  // Of each node but the root: the one above it, and where its label stands.
  const parents = new Int32Array(most)
  const sources = new Int32Array(most)
  const starts = new Uint8Array(most)
  const ends = new Uint8Array(most)
  /** The key that ends at a node; nothing is -1. */
  const exact = new Int32Array(most).fill(-1)
  const below = new Int32Array(most).fill(-1)
  // At most half full: a power of two of nodes, 0 where there is none.
  const mask = 2 ** Math.ceil(Math.log2(most * 2)) - 1
  const table = new Int32Array(mask + 1)
  let size = 1

  const isChild = (node: number, parent: number, name: string, start: number, end: number): boolean => {
    const from = starts[node]!
    if (parents[node] !== parent || ends[node]! - from !== end - start) return false
    const source = names[sources[node]!]!
    for (let i = start; i < end; i++) {
      if (source.charCodeAt(from + i - start) !== name.charCodeAt(i)) return false
    }
    return true
  }

  /** Where the child with a label is in the table, or would be. */
  const slotOf = (parent: number, name: string, start: number, end: number): number => {
    let slot = hash(parent, name, start, end) & mask
    while (table[slot] !== 0 && !isChild(table[slot]!, parent, name, start, end)) slot = (slot + 1) & mask
    return slot
  }

  yield* Slices.each(keys, (key, position) => {
    const { name } = key
    let node = 0
    for (let end = name.length; end > 0; ) {
      const start = name.lastIndexOf(".", end - 1) + 1
      const slot = slotOf(node, name, start, end)
      if (table[slot] === 0) {
        parents[size] = node
        sources[size] = position
        starts[size] = start
        ends[size] = end
        table[slot] = size++
      }
      node = table[slot]!
      end = start - 1
    }
    const into = key.below ? below : exact
    into[node] = position
  })

  return {
    match: (name, found) => {
      let node = 0
      for (let end = name.length; end > 0; ) {
        if (below[node] !== -1) found.push(below[node]!)
        const start = name.lastIndexOf(".", end - 1) + 1
        node = table[slotOf(node, name, start, end)]!
        if (node === 0) return
        end = start - 1
      }
      if (exact[node] !== -1) found.push(exact[node]!)
    }
  }
}

const labelsOf = (name: string): number => {
  let count = 1
  for (let at = name.indexOf("."); at !== -1; at = name.indexOf(".", at + 1)) count++
  return count
}

/** FNV-1a over a node and a label. */
const hash = (parent: number, name: string, start: number, end: number): number => {
  let value = Math.imul(0x811c9dc5 ^ parent, 0x01000193)
  for (let i = start; i < end; i++) value = Math.imul(value ^ name.charCodeAt(i), 0x01000193)
  return value ^ (value >>> 15)
}
