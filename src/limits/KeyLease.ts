/**
 * The leased slots of one key: those in use, those reserved for requests, and the requests that wait for more.
 */
import type { CounterMap } from "../base/CounterMap.ts"
import type { Claim } from "./SlotAllocator.ts"

/** A slot that is reserved for one session. */
export interface Slot {
  /** Frees the slot, for the session that takes it at once. */
  readonly release: () => void
}

/** Gets the slot that was requested, or undefined if all are in use. */
export type Answer = (slot: Slot | undefined) => void

export class KeyLease {
  private readonly key: string
  private limit: number
  /** Of all keys, also of those without a lease. */
  private readonly used: Pick<CounterMap, "of">
  private readonly send: (claim: Claim) => void
  /** Slots. */
  private count = 0
  /** Slots in use that go back as soon as they are free, because the limit has become smaller. */
  private over = 0
  /** Lowest number of free slots since the last sweep. */
  private idle = 0
  private readonly reserved = new Set<Reserved>()
  private waiting: Array<Waiter> = []
  /** The seat was asked for more, and has not answered. */
  private isAsking = false

  constructor(key: string, limit: number, used: Pick<CounterMap, "of">, send: (claim: Claim) => void) {
    this.key = key
    this.limit = limit
    this.used = used
    this.send = send
  }

  /** Whether there is a free slot, of `limit` in all. */
  hasRoom(limit: number): boolean {
    if (this.limit === limit) return this.free() > 0
    // The slots of the lease were granted under another limit, which may have been higher.
    this.limit = limit
    const count = this.free()
    if (count > 0) this.giveBack(count)
    this.over = this.used.of(this.key)
    this.idle = 0
    return false
  }

  /** To be called after the number of slots in use has changed. */
  changed(by: 1 | -1): void {
    if (by === -1 && this.over > 0) {
      this.over--
      this.giveBack(1)
    }
    this.reserveFree()
  }

  request(limit: number, answer: Answer): void {
    this.limit = limit
    this.waiting.push({ answer, isAsked: false })
    this.reserveFree()
    this.ask()
  }

  /** The seat has granted slots. If the request was given up, they are free for the next one. */
  grant(count: number): void {
    this.count += count
    this.isAsking = false
    this.reserveFree()
    this.ask()
  }

  /** The seat has no slots for the requests that it was asked for. */
  refuse(): void {
    this.isAsking = false
    const refused = this.waiting.filter(({ isAsked }) => isAsked)
    this.waiting = this.waiting.filter(({ isAsked }) => !isAsked)
    for (const { answer } of refused) answer(undefined)
    this.ask()
  }

  /** The seat asks for the free slots and, if it `isOver`, for those in use as soon as they are free. */
  recall(round: number, isOver = false): void {
    if (isOver) this.over = this.used.of(this.key)
    this.giveBack(Math.max(this.free(), 0), round)
    this.idle = 0
  }

  /** Gives the free slots back. */
  giveFree(): void {
    const count = this.free()
    if (count > 0) this.giveBack(count)
    this.idle = 0
  }

  /** Gives back slots that were not used since the last sweep, and frees reservations that were not taken since then. */
  sweep(): void {
    for (const slot of this.reserved) {
      if (slot.isOld) this.reserved.delete(slot)
      else slot.isOld = true
    }
    if (this.idle > 0) this.giveBack(this.idle)
    this.idle = Math.max(this.free(), 0)
  }

  /** Reports the slots in use beyond the lease. */
  declare(): void {
    const over = this.coverUse()
    if (over > 0) this.send({ _tag: "own", key: this.key, over })
  }

  /** Whether the lease has no slots, and waits for none. */
  isEmpty(): boolean {
    return this.count === 0 && this.waiting.length === 0 && !this.isAsking
  }

  private free(): number {
    return this.count - this.used.of(this.key) - this.reserved.size
  }

  private giveBack(count: number, round?: number): void {
    this.count -= count
    this.send({ _tag: "back", key: this.key, count, ...(round !== undefined && { round }) })
  }

  /** Adds the slots in use beyond the lease to the lease, and returns their number. */
  private coverUse(): number {
    const over = Math.max(this.used.of(this.key) - this.count, 0)
    this.count += over
    this.over += over
    return over
  }

  private ask(): void {
    if (this.isAsking || this.waiting.length === 0) return
    this.isAsking = true
    for (const waiter of this.waiting) waiter.isAsked = true
    this.send({ _tag: "ask", key: this.key, limit: this.limit, over: this.coverUse() })
  }

  /** Reserves free slots for the requests that wait. */
  private reserveFree(): void {
    while (this.waiting.length > 0 && this.free() > 0) {
      const { answer } = this.waiting.shift()!
      const slot: Reserved = {
        isOld: false,
        release: () => {
          this.reserved.delete(slot)
        }
      }
      this.reserved.add(slot)
      answer(slot)
    }
    this.idle = Math.min(this.idle, Math.max(this.free(), 0))
  }
}

interface Reserved extends Slot {
  /** Whether the slot was reserved before the last sweep. */
  isOld: boolean
}

interface Waiter {
  readonly answer: Answer
  /** The seat was asked after this request began to wait. */
  isAsked: boolean
}
