/**
 * Slots of counted limits, leased to members: the seat's side.
 *
 * Members lease a few slots of a key at a time, so that they need not ask for each
 * session. When all slots are leased, a request waits until the other members have
 * given back the slots that they do not use. It is answered "full" only if there
 * are none: never more than the limit in total, and no refusal while there is room.
 */

/** From a member. */
export type Claim =
  /** Requests one slot or several. `over` is the number of slots in use beyond the lease, from a time without a limit. */
  | { readonly _tag: "ask"; readonly key: string; readonly limit: number; readonly over: number }
  /** Reports the slots in use of a key, without a request for more. */
  | { readonly _tag: "own"; readonly key: string; readonly over: number }
  /** Gives slots back; with `round` it answers a recall. */
  | { readonly _tag: "back"; readonly key: string; readonly count: number; readonly round?: number }

/** To a member. */
export type Ruling =
  /** Grants slots. */
  | { readonly _tag: "grant"; readonly key: string; readonly count: number }
  /** All slots are in use. */
  | { readonly _tag: "full"; readonly key: string }
  /**
   * Asks for unused slots. The member answers, also if there are none. With `isOver` those in use go back as soon as they
   * are free, too.
   */
  | { readonly _tag: "recall"; readonly key: string; readonly round: number; readonly isOver?: true }

export interface SlotAllocator<in out Member> {
  readonly receive: (member: Member, claim: Claim) => void
  /** Removes a member that has ended, with its sessions. */
  readonly remove: (member: Member) => void
  /** Number of keys with leased slots. */
  readonly size: () => number
  /** The leased slots of a key, by member. */
  readonly leases: (key: string) => ReadonlyMap<Member, number>
  /** Whether a request for slots of a key waits. */
  readonly isWaiting: (key: string) => boolean
}

interface Entry<Member> {
  limit: number
  readonly leased: Map<Member, number>
  /** Requests that wait, the oldest first. */
  waiting: ReadonlyArray<Waiter<Member>>
  /** The recall under way, for the requests that waited when it began. */
  round: Round<Member> | undefined
}

interface Waiter<Member> {
  readonly member: Member
}

interface Round<Member> {
  readonly id: number
  readonly for: ReadonlyArray<Waiter<Member>>
  /** Members that have not answered yet. */
  readonly open: Set<Member>
  /** Slots were granted meanwhile. A member that needs them no longer keeps them free until the next recall. */
  hasGranted: boolean
}

/** The fraction of the free slots that a member is granted at once. */
const part = 8

export const make = <Member>(send: (member: Member, ruling: Ruling) => void): SlotAllocator<Member> => {
  const entries = new Map<string, Entry<Member>>()
  let rounds = 0

  const entryOf = (key: string): Entry<Member> => {
    const known = entries.get(key)
    if (known) return known
    const entry: Entry<Member> = { limit: Infinity, leased: new Map(), waiting: [], round: undefined }
    entries.set(key, entry)
    return entry
  }

  const lease = ({ leased }: Entry<Member>, member: Member, change: number) => {
    const count = (leased.get(member) ?? 0) + change
    if (count > 0) leased.set(member, count)
    else leased.delete(member)
  }

  const serve = (key: string, entry: Entry<Member>) => {
    let free = entry.limit
    for (const count of entry.leased.values()) free -= count
    while (free > 0 && entry.waiting.length > 0) {
      const { member } = entry.waiting[0]!
      entry.waiting = entry.waiting.slice(1)
      const count = Math.max(Math.floor(free / part), 1)
      lease(entry, member, count)
      free -= count
      if (entry.round) entry.round.hasGranted = true
      send(member, { _tag: "grant", key, count })
    }
    if (entry.round?.open.size === 0) {
      const whom = entry.round.hasGranted ? [] : entry.round.for
      entry.round = undefined
      const refused = entry.waiting.filter((waiter) => whom.includes(waiter))
      entry.waiting = entry.waiting.filter((waiter) => !whom.includes(waiter))
      for (const { member } of refused) send(member, { _tag: "full", key })
    }
    if (entry.waiting.length > 0 && entry.round === undefined) recall(key, entry)
    else if (entry.waiting.length === 0 && entry.leased.size === 0) entries.delete(key)
  }

  const recall = (key: string, entry: Entry<Member>) => {
    const round = {
      id: ++rounds,
      for: entry.waiting,
      open: new Set(entry.leased.keys()),
      hasGranted: false
    }
    entry.round = round
    for (const member of round.open) send(member, { _tag: "recall", key, round: round.id })
    if (round.open.size === 0) serve(key, entry)
  }

  return {
    receive: (member, claim) => {
      const { key } = claim
      const entry = entryOf(key)
      switch (claim._tag) {
        case "ask":
          entry.limit = claim.limit
          lease(entry, member, claim.over)
          entry.waiting = [...entry.waiting, { member }]
          break
        case "own":
          lease(entry, member, claim.over)
          break
        case "back":
          lease(entry, member, -claim.count)
          if (entry.round?.id === claim.round) entry.round?.open.delete(member)
          break
      }
      serve(key, entry)
    },
    remove: (member) => {
      for (const [key, entry] of [...entries]) {
        entry.leased.delete(member)
        entry.waiting = entry.waiting.filter((waiter) => waiter.member !== member)
        entry.round?.open.delete(member)
        serve(key, entry)
      }
    },
    size: () => entries.size,
    leases: (key) => entries.get(key)?.leased ?? new Map(),
    isWaiting: (key) => (entries.get(key)?.waiting.length ?? 0) > 0
  }
}
