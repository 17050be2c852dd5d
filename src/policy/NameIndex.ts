/**
 * Which of many names, and of many `*.suffix`, a name is: a look into a map for
 * each of its labels, however many names there are.
 *
 * Maps of whole suffixes: measured with 100,000 names, a trie of labels takes more
 * memory and is slower.
 */
import * as Slices from "../base/Slices.ts"

/** A name without a trailing dot; or if `below`, every name that ends in it, at any depth, but not itself. */
export interface Key {
  /** Empty, and `below`: every name. */
  readonly name: string
  readonly below: boolean
}

export interface NameIndex {
  /** Puts the positions of the keys that a name meets behind what is found already. */
  readonly match: (name: string, found: Array<number>) => void
}

/** Of keys that all differ. */
export const make = (keys: ReadonlyArray<Key>): NameIndex => Slices.runSync(making(keys))

/** The same in pieces. */
export function* making(keys: ReadonlyArray<Key>): Slices.Work<NameIndex> {
  const exact = new Map<string, number>()
  const below = new Map<string, number>()
  yield* Slices.each(keys, (key, position) => {
    const into = key.below ? below : exact
    into.set(key.name, position)
  })
  return ready(exact, below)
}

/** Apart from where they are made, so that the keys are not kept. */
const ready = (exact: ReadonlyMap<string, number>, below: ReadonlyMap<string, number>): NameIndex => {
  const every = below.get("")
  let longest = 0
  for (const suffix of below.keys()) longest = Math.max(longest, suffix.length)
  return {
    match: (name, found) => {
      if (every !== undefined) found.push(every)
      const least = Math.max(1, name.length - 1 - longest)
      for (let dot = name.lastIndexOf("."); dot >= least; dot = name.lastIndexOf(".", dot - 1)) {
        const at = below.get(name.slice(dot + 1))
        if (at !== undefined) found.push(at)
      }
      const at = exact.get(name)
      if (at !== undefined) found.push(at)
    }
  }
}
