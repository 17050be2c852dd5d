/**
 * Slots of counted limits, leased from the seat: the member's side.
 *
 * Sessions take leased slots. Without a free slot the member requests more. Slots
 * that were not used for a while go back.
 */
import * as CounterMap from "../base/CounterMap.ts"
import type { Claim, Ruling } from "./SlotAllocator.ts"

/** A slot that is reserved for one session. */
export interface Slot {
  /** Frees the slot, for the session that takes it at once. */
  readonly release: () => void
}

export interface SlotLease {
  /** Whether there is a free slot here and now, of `limit` in all. */
  readonly hasRoom: (key: string, limit: number) => boolean
  /** Counts one more in use, or one less; also of keys without a limit. */
  readonly change: (key: string, by: 1 | -1) => void
  /** Requests a slot. `answer` gets undefined if all are in use. */
  readonly ask: (key: string, limit: number, answer: (slot: Slot | undefined) => void) => void
  readonly receive: (ruling: Ruling) => void
  /** Gives back slots that were not used since the last sweep, and frees reservations that were not taken since then. */
  readonly sweep: () => void
  /** Reports all slots in use, as a new limit may hold for them. */
  readonly declare: () => void
  /** Number of slots in use. */
  readonly of: (key: string) => number
}

interface Lease {
  limit: number
  /** Slots. */
  count: number
  /** Slots in use that go back as soon as they are free, because the limit has become smaller. */
  over: number
  /** Lowest number of free slots since the last sweep. */
  idle: number
  slots: Set<Slot>
  waiting: Array<Waiter>
  /** The seat was asked for more, and has not answered. */
  isAsking: boolean
}

interface Waiter {
  readonly answer: (slot: Slot | undefined) => void
  /** The seat was asked after this request began to wait. */
  isAsked: boolean
}

export const make = (send: (claim: Claim) => void): SlotLease => {
  const used = CounterMap.make()
  const leases = new Map<string, Lease>()
  /** Reservations from before the last sweep. */
  let old = new Set<Slot>()

  const free = (key: string, lease: Lease) => lease.count - used.of(key) - lease.slots.size

  const giveBack = (key: string, lease: Lease, count: number, round?: number) => {
    lease.count -= count
    send({ _tag: "back", key, count, ...(round !== undefined && { round }) })
  }

  const leaseOf = (key: string, limit: number): Lease => {
    const known = leases.get(key)
    if (known) return known
    const lease: Lease = { limit, count: 0, over: 0, idle: 0, slots: new Set(), waiting: [], isAsking: false }
    leases.set(key, lease)
    return lease
  }

  /** Adds the slots in use beyond the lease to the lease, and returns their number. */
  const coverUse = (key: string, lease: Lease): number => {
    const over = Math.max(used.of(key) - lease.count, 0)
    lease.count += over
    lease.over += over
    return over
  }

  const ask = (key: string, lease: Lease) => {
    if (lease.isAsking || lease.waiting.length === 0) return
    lease.isAsking = true
    for (const waiter of lease.waiting) waiter.isAsked = true
    send({ _tag: "ask", key, limit: lease.limit, over: coverUse(key, lease) })
  }

  /** Reserves free slots for the requests that wait. */
  const reserveFree = (key: string, lease: Lease) => {
    while (lease.waiting.length > 0 && free(key, lease) > 0) {
      const { answer } = lease.waiting.shift()!
      const slot: Slot = {
        release: () => {
          lease.slots.delete(slot)
        }
      }
      lease.slots.add(slot)
      answer(slot)
    }
    lease.idle = Math.min(lease.idle, Math.max(free(key, lease), 0))
  }

  return {
    hasRoom: (key, limit) => {
      const lease = leases.get(key)
      if (lease === undefined) return false
      if (lease.limit !== limit) {
        // The slots of the lease were granted under another limit, which may have been higher.
        lease.limit = limit
        const count = free(key, lease)
        if (count > 0) giveBack(key, lease, count)
        lease.over = used.of(key)
        lease.idle = 0
        return false
      }
      return free(key, lease) > 0
    },
    change: (key, by) => {
      used.change(key, by)
      const lease = leases.get(key)
      if (lease === undefined) return
      if (by === -1 && lease.over > 0) {
        lease.over--
        giveBack(key, lease, 1)
      }
      reserveFree(key, lease)
    },
    ask: (key, limit, answer) => {
      const lease = leaseOf(key, limit)
      lease.limit = limit
      lease.waiting.push({ answer, isAsked: false })
      reserveFree(key, lease)
      ask(key, lease)
    },
    receive: (ruling) => {
      const { key } = ruling
      const lease = leases.get(key)
      switch (ruling._tag) {
        case "grant": {
          // The request was given up: the slot is free for the next one.
          const known = lease ?? leaseOf(key, Infinity)
          known.count += ruling.count
          known.isAsking = false
          reserveFree(key, known)
          return ask(key, known)
        }
        case "full": {
          if (lease === undefined) return
          lease.isAsking = false
          const refused = lease.waiting.filter(({ isAsked }) => isAsked)
          lease.waiting = lease.waiting.filter(({ isAsked }) => !isAsked)
          for (const { answer } of refused) answer(undefined)
          return ask(key, lease)
        }
        case "recall": {
          if (lease === undefined) return send({ _tag: "back", key, count: 0, round: ruling.round })
          giveBack(key, lease, Math.max(free(key, lease), 0), ruling.round)
          lease.idle = 0
        }
      }
    },
    sweep: () => {
      const before = old
      old = new Set()
      for (const [key, lease] of leases) {
        for (const slot of lease.slots) {
          if (before.has(slot)) lease.slots.delete(slot)
          else old.add(slot)
        }
        if (lease.idle > 0) giveBack(key, lease, lease.idle)
        lease.idle = Math.max(free(key, lease), 0)
        if (lease.count === 0 && lease.waiting.length === 0 && !lease.isAsking) leases.delete(key)
      }
    },
    declare: () => {
      for (const key of used.keys()) {
        const lease = leaseOf(key, Infinity)
        const over = coverUse(key, lease)
        if (over > 0) send({ _tag: "own", key, over })
      }
    },
    of: used.of
  }
}
