/**
 * A bounded map that keeps the entries used last.
 *
 * It has two generations instead of an order. A used entry moves to the young
 * generation; when that is full, the old one is dropped. Nearly every entry that is
 * found is young, which takes one look-up and moves nothing.
 */
export interface LruMap<in out K, in out V> {
  readonly get: (key: K) => V | undefined
  readonly set: (key: K, value: V) => void
  /** All entries. Those used last are among the last. */
  readonly entries: () => ReadonlyArray<readonly [K, V]>
}

/** A limit that several maps share. */
interface Shared {
  /** Whether the maps may have one more entry in all. */
  readonly hasPlaces: () => boolean
  /** Counts entries that were added or dropped. */
  readonly changePlaces: (by: number) => void
}

/** Number of entries that a map may have when the others have used up the shared limit. */
const least = 16

/**
 * Keeps at least the `limit` entries used last, and at most twice as many. With
 * `shared` it keeps only a few when the shared limit is used up.
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
