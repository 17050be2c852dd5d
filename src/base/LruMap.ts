/**
 * A table of what was used lately, bounded.
 *
 * Two generations instead of an order: what is used moves to the young one, and
 * when that is full, the old one is forgotten. Finding something young, which is
 * nearly always, is one look-up and moves nothing.
 */
export interface LruMap<in out K, in out V> {
  readonly get: (key: K) => V | undefined
  readonly set: (key: K, value: V) => void
  /** All that is remembered; the ones used last are among the last. */
  readonly entries: () => ReadonlyArray<readonly [K, V]>
}

/** What several tables may remember together. */
interface Shared {
  /** Whether one of them may remember one more. */
  readonly hasPlaces: () => boolean
  /** So many more are remembered, or fewer. */
  readonly changePlaces: (by: number) => void
}

/** What a table remembers where others have taken all that there is to share. */
const least = 16

/**
 * Remembers at least the `limit` keys used last, and never more than twice as
 * many; only a few where the places are `shared` and there are none left.
 */
export const make = <K, V>(limit: number, shared?: Shared): LruMap<K, V> => {
  let young = new Map<K, V>()
  let old = new Map<K, V>()
  const isFull = () =>
    young.size >= limit || (shared !== undefined && young.size >= least && !shared.hasPlaces())
  const set = (key: K, value: V) => {
    if (!young.has(key)) {
      if (isFull()) {
        shared?.changePlaces(-old.size)
        old = young
        young = new Map()
      }
      shared?.changePlaces(1)
    }
    young.set(key, value)
  }
  return {
    get: (key) => {
      const value = young.get(key)
      if (value !== undefined) return value
      const older = old.get(key)
      if (older !== undefined) set(key, older)
      return older
    },
    set,
    entries: () => [...new Map([...old, ...young])]
  }
}
