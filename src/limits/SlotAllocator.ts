/**
 * Who has how many of what there is a limit on: the primary's side.
 *
 * Slots of each key are leased to workers, a few at a time, so that they need
 * not ask for each session. Who asks when all are leased waits until the others
 * have given back what they do not use, and is told "full" only if that is
 * nothing: never more than the limit in total, and no refusal while there is room.
 */

/** From a worker. */
export type Claim =
  /** Wants one more, or several. `over` are those that it uses beyond its lease, from when there was no limit. */
  | { readonly _tag: "ask"; readonly key: string; readonly limit: number; readonly over: number }
  /** Has these, of a key that it needs no more of. */
  | { readonly _tag: "own"; readonly key: string; readonly over: number }
  /** Gives back so many; `round` if it was asked to. */
  | { readonly _tag: "back"; readonly key: string; readonly count: number; readonly round?: number }

/** To a worker. */
export type Ruling =
  /** So many more. */
  | { readonly _tag: "grant"; readonly key: string; readonly count: number }
  /** All are in use. */
  | { readonly _tag: "full"; readonly key: string }
  /** What it does not use is needed. It answers, also if that is nothing. */
  | { readonly _tag: "recall"; readonly key: string; readonly round: number }

export interface SlotAllocator<in Worker> {
  readonly receive: (worker: Worker, claim: Claim) => void
  /** It is no more, and neither are its sessions. */
  readonly remove: (worker: Worker) => void
  /** How many keys there are that anyone has any of. */
  readonly size: () => number
}

interface Entry<Worker> {
  limit: number
  readonly leased: Map<Worker, number>
  /** Who waits, the first first. */
  waiting: ReadonlyArray<Waiter<Worker>>
  /** The question to all that is under way, on behalf of those who waited when it began. */
  round: Round<Worker> | undefined
}

interface Waiter<Worker> {
  readonly worker: Worker
}

interface Round<Worker> {
  readonly id: number
  readonly for: ReadonlyArray<Waiter<Worker>>
  /** Who has not answered yet. */
  readonly open: Set<Worker>
}

/** What one gets at once of those that are free. */
const part = 8

export const make = <Worker>(send: (worker: Worker, ruling: Ruling) => void): SlotAllocator<Worker> => {
  const entries = new Map<string, Entry<Worker>>()
  let rounds = 0

  const entryOf = (key: string): Entry<Worker> => {
    const known = entries.get(key)
    if (known) return known
    const entry: Entry<Worker> = { limit: Infinity, leased: new Map(), waiting: [], round: undefined }
    entries.set(key, entry)
    return entry
  }

  const lease = ({ leased }: Entry<Worker>, worker: Worker, change: number) => {
    const count = (leased.get(worker) ?? 0) + change
    if (count > 0) leased.set(worker, count)
    else leased.delete(worker)
  }

  const serve = (key: string, entry: Entry<Worker>) => {
    let free = entry.limit
    for (const count of entry.leased.values()) free -= count
    while (free > 0 && entry.waiting.length > 0) {
      const { worker } = entry.waiting[0]!
      entry.waiting = entry.waiting.slice(1)
      const count = Math.max(Math.floor(free / part), 1)
      lease(entry, worker, count)
      free -= count
      send(worker, { _tag: "grant", key, count })
    }
    if (entry.round?.open.size === 0) {
      const { for: whom } = entry.round
      entry.round = undefined
      const refused = entry.waiting.filter((waiter) => whom.includes(waiter))
      entry.waiting = entry.waiting.filter((waiter) => !whom.includes(waiter))
      for (const { worker } of refused) send(worker, { _tag: "full", key })
    }
    if (entry.waiting.length > 0 && entry.round === undefined) recall(key, entry)
    else if (entry.waiting.length === 0 && entry.leased.size === 0) entries.delete(key)
  }

  const recall = (key: string, entry: Entry<Worker>) => {
    const round = { id: ++rounds, for: entry.waiting, open: new Set(entry.leased.keys()) }
    entry.round = round
    for (const worker of round.open) send(worker, { _tag: "recall", key, round: round.id })
    if (round.open.size === 0) serve(key, entry)
  }

  return {
    receive: (worker, claim) => {
      const { key } = claim
      const entry = entryOf(key)
      switch (claim._tag) {
        case "ask":
          entry.limit = claim.limit
          lease(entry, worker, claim.over)
          entry.waiting = [...entry.waiting, { worker }]
          break
        case "own":
          lease(entry, worker, claim.over)
          break
        case "back":
          lease(entry, worker, -claim.count)
          if (entry.round?.id === claim.round) entry.round?.open.delete(worker)
          break
      }
      serve(key, entry)
    },
    remove: (worker) => {
      for (const [key, entry] of [...entries]) {
        entry.leased.delete(worker)
        entry.waiting = entry.waiting.filter((waiter) => waiter.worker !== worker)
        entry.round?.open.delete(worker)
        serve(key, entry)
      }
    },
    size: () => entries.size
  }
}
