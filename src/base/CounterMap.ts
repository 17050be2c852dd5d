/**
 * How many there are of each.
 */
export interface CounterMap {
  readonly of: (key: string) => number
  /** One more, or one less of those that were added. */
  readonly change: (key: string, by: 1 | -1) => void
  /** Those that have any. */
  readonly keys: () => Iterable<string>
  /** How many keys have any. */
  readonly size: () => number
}

/** Keeps nothing of a key of which there is none. */
export const make = (): CounterMap => {
  const counts = new Map<string, number>()
  const of = (key: string) => counts.get(key) ?? 0
  return {
    of,
    change: (key, by) => {
      const count = of(key) + by
      if (count === 0) counts.delete(key)
      else counts.set(key, count)
    },
    keys: () => counts.keys(),
    size: () => counts.size
  }
}
