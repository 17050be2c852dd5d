/**
 * Counters by key.
 */
export interface CounterMap {
  readonly of: (key: string) => number
  /** Adds one, or takes one back. */
  readonly change: (key: string, by: 1 | -1) => void
  /** The keys with a count above 0. */
  readonly keys: () => Iterable<string>
  /** Number of keys with a count above 0. */
  readonly size: () => number
}

/** A key with a count of 0 takes no memory. */
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
