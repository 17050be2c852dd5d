/**
 * Slots of counted limits, leased to workers: the primary's side.
 *
 * Workers lease a few slots of a key at a time, so that they need not ask for each
 * session. When all slots are leased, a request waits until the other workers have
 * given back the slots that they do not use. It is answered "full" only if there
 * are none: never more than the limit in total, and no refusal while there is room.
 */

/** From a worker. */
export type Claim =
  /** Requests one slot or several. `over` is the number of slots in use beyond the lease, from a time without a limit. */
  | { readonly _tag: "ask"; readonly key: string; readonly limit: number; readonly over: number }
  /** Reports the slots in use of a key, without a request for more. */
  | { readonly _tag: "own"; readonly key: string; readonly over: number }
  /** Gives slots back; with `round` it answers a recall. */
  | { readonly _tag: "back"; readonly key: string; readonly count: number; readonly round?: number }

/** To a worker. */
export type Ruling =
  /** Grants slots. */
  | { readonly _tag: "grant"; readonly key: string; readonly count: number }
  /** All slots are in use. */
  | { readonly _tag: "full"; readonly key: string }
  /** Asks for unused slots. The worker answers, also if there are none. */
  | { readonly _tag: "recall"; readonly key: string; readonly round: number }

export interface SlotAllocator<in Worker> {
  readonly receive: (worker: Worker, claim: Claim) => void
  /** Removes a worker that has ended, with its sessions. */
  readonly remove: (worker: Worker) => void
  /** Number of keys with leased slots. */
  readonly size: () => number
}

interface Entry<Worker> {
  limit: number
  readonly leased: Map<Worker, number>
  /** Requests that wait, the oldest first. */
  waiting: ReadonlyArray<Waiter<Worker>>
  /** The recall under way, for the requests that waited when it began. */
  round: Round<Worker> | undefined
}

interface Waiter<Worker> {
  readonly worker: Worker
}

interface Round<Worker> {
  readonly id: number
  readonly for: ReadonlyArray<Waiter<Worker>>
  /** Workers that have not answered yet. */
  readonly open: Set<Worker>
  /** Slots were granted meanwhile. A worker that needs them no longer keeps them free until the next recall. */
  hasGranted: boolean
}

/** The fraction of the free slots that a worker is granted at once. */
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
      if (entry.round) entry.round.hasGranted = true
      send(worker, { _tag: "grant", key, count })
    }
    if (entry.round?.open.size === 0) {
      const whom = entry.round.hasGranted ? [] : entry.round.for
      entry.round = undefined
      const refused = entry.waiting.filter((waiter) => whom.includes(waiter))
      entry.waiting = entry.waiting.filter((waiter) => !whom.includes(waiter))
      for (const { worker } of refused) send(worker, { _tag: "full", key })
    }
    if (entry.waiting.length > 0 && entry.round === undefined) recall(key, entry)
    else if (entry.waiting.length === 0 && entry.leased.size === 0) entries.delete(key)
  }

  const recall = (key: string, entry: Entry<Worker>) => {
    const round = {
      id: ++rounds,
      for: entry.waiting,
      open: new Set(entry.leased.keys()),
      hasGranted: false
    }
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
