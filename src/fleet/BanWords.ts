/**
 * The last word on each network, as a machine knows it: that it was banned, or that its ban was lifted, and when, by the
 * clock of the machine. Words go to the store and come from it with their ages, so no two clocks are compared. The newest
 * holds, whoever was cut off when it was said, and whoever has forgotten it.
 */
import * as LruMap from "../base/LruMap.ts"
import { memory, tolerance } from "./scripts/ExchangeBans.ts"

export interface Word {
  readonly isBan: boolean
  /** Milliseconds since the epoch; 0 for a word that is older than all others. */
  readonly at: number
}

export type Words = ReadonlyArray<readonly [network: string, word: Word]>

export interface BanWords {
  readonly note: (network: string, word: Word) => void
  /** From now on, any word of the store is newer. */
  readonly distrust: (network: string) => void
  /** How many milliseconds ago the last word on a network was said. */
  readonly age: (network: string, now: number) => number
  /** Whether the last word on a network is newer than one of this time. */
  readonly isNewer: (network: string, at: number) => boolean
  /** A number that changes with every change. */
  readonly revision: () => number
  /** Those that matter: on networks that are banned here, and on lifted bans that some machine may have. */
  readonly lasting: (banned: Iterable<string>, now: number) => Words
  /** Whether the last word on a network is that its ban was lifted. */
  readonly isLifting: (network: string) => boolean
  /** The networks on which the store has no word, or an older one. `banned` has the networks that are banned here. */
  readonly newer: (
    store: ReadonlyMap<string, Word>,
    banned: Iterable<string>,
    now: number
  ) => ReadonlyArray<string>
}

/** `left` has the words of an earlier run. */
export const make = (left: Words): BanWords => {
  const words = LruMap.make<string, Word>(32_768)
  for (const [network, word] of left) words.set(network, word)
  let revision = 0
  const note = (network: string, word: Word) => {
    const before = words.get(network)
    // A word that comes again has nearly the same age.
    if (before?.isBan !== word.isBan || Math.abs(before.at - word.at) >= tolerance) revision++
    words.set(network, word)
  }
  const lasting = (banned: Iterable<string>, now: number) => {
    const isBanned = new Set(banned)
    // A ban that has ended is none.
    return words
      .entries()
      .filter(([network, { isBan, at }]) => (isBan ? isBanned.has(network) : now - at < memory))
  }
  return {
    note,
    distrust: (network) => note(network, { isBan: words.get(network)?.isBan ?? true, at: 0 }),
    revision: () => revision,
    lasting,
    age: (network, now) => Math.min(Math.max(Math.round(now - (words.get(network)?.at ?? 0)), 0), memory),
    isNewer: (network, at) => (words.get(network)?.at ?? 0) > at + tolerance,
    isLifting: (network) => words.get(network)?.isBan === false,
    newer: (store, banned, now) => {
      const own = new Map<string, Word>()
      for (const network of banned) own.set(network, { isBan: true, at: 0 })
      for (const [network, word] of lasting([...own.keys()], now)) own.set(network, word)
      return Array.from(own).flatMap(([network, { at }]) => {
        const other = store.get(network)
        return other === undefined || at > other.at + tolerance ? [network] : []
      })
    }
  }
}
