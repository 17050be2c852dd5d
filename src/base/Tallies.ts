/**
 * A bounded table of counted failures, which a flood of small entries does not flush.
 *
 * A full table drops the lightest of some random entries. To push out an entry, an
 * attacker needs a table full of entries that weigh as much.
 */
export interface Tallies<in out V> {
  readonly get: (key: string) => V | undefined
  /** Sets an entry. `weigh` gives the current weight of an entry, for a full table. */
  readonly set: (key: string, value: V, weigh: (value: V) => number) => void
  readonly remove: (key: string) => void
  readonly entries: () => ReadonlyArray<readonly [key: string, value: V]>
}

/** Number of random entries, of which the lightest is dropped. */
const drawn = 16

export const make = <V>(limit: number, random: () => number = Math.random): Tallies<V> => {
  const slots: Array<[key: string, value: V]> = []
  const indexes = new Map<string, number>()

  const removeAt = (index: number) => {
    const [key] = slots[index]!
    const last = slots.pop()!
    if (index < slots.length) {
      slots[index] = last
      indexes.set(last[0], index)
    }
    indexes.delete(key)
  }

  const lightest = (weigh: (value: V) => number): number => {
    let found = 0
    let weight = Number.POSITIVE_INFINITY
    for (let n = 0; n < drawn; n++) {
      const index = Math.floor(random() * slots.length)
      const here = weigh(slots[index]![1])
      if (here < weight) {
        found = index
        weight = here
      }
    }
    return found
  }

  return {
    get: (key) => {
      const index = indexes.get(key)
      return index === undefined ? undefined : slots[index]![1]
    },
    set: (key, value, weigh) => {
      const index = indexes.get(key)
      if (index !== undefined) {
        slots[index]![1] = value
        return
      }
      if (slots.length >= limit) removeAt(lightest(weigh))
      indexes.set(key, slots.length)
      slots.push([key, value])
    },
    remove: (key) => {
      const index = indexes.get(key)
      if (index !== undefined) removeAt(index)
    },
    entries: () => slots.map(([key, value]) => [key, value])
  }
}
