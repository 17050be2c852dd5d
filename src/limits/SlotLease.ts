/**
 * Slots of counted limits, leased from the seat: the member's side.
 *
 * Sessions take leased slots. Without a free slot the member requests more. Slots
 * that were not used for a while go back.
 */
import * as CounterMap from "../base/CounterMap.ts"
import { type Answer, KeyLease } from "./KeyLease.ts"
import type { Claim, Ruling } from "./SlotAllocator.ts"

export type { Slot } from "./KeyLease.ts"

/** `now` gives milliseconds of the clock of the machine that nobody sets, by which the seat says how long slots hold. */
export const make = (send: (claim: Claim) => void, now: () => number = () => 0): SlotLease =>
  new SlotLease(send, now)

export class SlotLease {
  private readonly used = CounterMap.make()
  private readonly leases = new Map<string, KeyLease>()
  private readonly send: (claim: Claim) => void
  private readonly now: () => number
  /** Until when free slots may be used. A seat that has leased them itself may have lost them by then. */
  private until = Number.POSITIVE_INFINITY

  constructor(send: (claim: Claim) => void, now: () => number) {
    this.send = send
    this.now = now
  }

  /** Whether there is a free slot here and now, of `limit` in all. */
  hasRoom(key: string, limit: number): boolean {
    if (this.isOver()) return false
    return this.leases.get(key)?.hasRoom(limit) ?? false
  }

  /** The seat says until when free slots may be used. Those whose time is over go back: others may have them. */
  holdUntil(at: number): void {
    if (this.isOver()) for (const lease of this.leases.values()) lease.giveFree()
    this.until = at
  }

  /** Counts one more in use, or one less; also of keys without a limit. */
  change(key: string, by: 1 | -1): void {
    this.used.change(key, by)
    this.leases.get(key)?.changed(by)
  }

  /** Requests a slot. `answer` gets undefined if all are in use. */
  ask(key: string, limit: number, answer: Answer): void {
    const lease = this.leaseOf(key, limit)
    if (this.isOver()) lease.giveFree()
    lease.request(limit, answer)
  }

  receive(ruling: Ruling): void {
    const { key } = ruling
    switch (ruling._tag) {
      case "grant":
        this.leaseOf(key, Infinity).grant(ruling.count)
        break
      case "full":
        this.leases.get(key)?.refuse()
        break
      case "recall": {
        const { round, isOver } = ruling
        const lease = this.leases.get(key)
        if (lease) lease.recall(round, isOver)
        else this.send({ _tag: "back", key, count: 0, round })
      }
    }
  }

  /** Gives back slots that were not used since the last sweep, and frees reservations that were not taken since then. */
  sweep(): void {
    for (const [key, lease] of this.leases) {
      lease.sweep()
      if (lease.isEmpty()) this.leases.delete(key)
    }
  }

  /** Reports all slots in use, as a new limit may hold for them. */
  declare(): void {
    for (const key of this.used.keys()) this.leaseOf(key, Infinity).declare()
  }

  /** Number of slots in use. */
  of(key: string): number {
    return this.used.of(key)
  }

  private isOver(): boolean {
    return this.until < Number.POSITIVE_INFINITY && this.now() >= this.until
  }

  private leaseOf(key: string, limit: number): KeyLease {
    const known = this.leases.get(key)
    if (known) return known
    const lease = new KeyLease(key, limit, this.used, this.send)
    this.leases.set(key, lease)
    return lease
  }
}
