/**
 * The slots of one limit on a machine of a fleet: what the machine has leased from the store, what its members have of that, and
 * what the store knows of it.
 */
import type * as SlotAllocator from "../limits/SlotAllocator.ts"
import { bucketOf } from "./Keys.ts"

/** All machines but this one, as a member: to the allocator it has leased all slots that this machine has not. */
export const rest = Symbol("rest")

export type Allocator<Member> = SlotAllocator.SlotAllocator<Member | typeof rest>

/** A recall of the store, and the members that have not answered it. */
export interface Recall<Member> {
  readonly round: string
  readonly id: number
  readonly open: Set<Member>
}

export class LimitSlots<Member extends object> {
  readonly key: string
  readonly bucket: number
  /** `Infinity` before a member has asked. */
  limit = Number.POSITIVE_INFINITY
  /** Slots that this machine has leased. */
  count = 0
  /** Slots that it had when its leases ended, while it does not work with the store again. */
  kept = 0
  /** Slots that are leased beyond the limit in all, as the store said last. */
  over = 0
  /** Lowest number of free slots since the last sweep. */
  idle = 0
  /** The allocator's recall of the rest's slots, while the rest has not answered. */
  round: number | undefined
  /** Until when a refusal of the store holds, in milliseconds of the membership's clock. */
  fullUntil = 0
  /** When the store was asked for slots, by that clock, while there is neither a grant nor a refusal. */
  askedAt: number | undefined
  /** Slots that the store has for this machine; undefined where that is not certain. */
  told: number | undefined = 0
  /** The number of the last order about this limit. */
  order = 0
  /** A request has no reply. Until then the store may count more than is known here, and must not be told a count. */
  isInFlight = false
  /** To be called when the reply is there. */
  readonly landed: Array<() => void> = []
  recall: Recall<Member> | undefined
  /** Slots that the rest has leased, to the allocator. */
  private rest = 0
  private readonly allocator: Allocator<Member>

  constructor(key: string, allocator: Allocator<Member>) {
    this.key = key
    this.bucket = bucketOf(key)
    this.allocator = allocator
  }

  /** Whether the store may know another count. */
  get isUntold(): boolean {
    return this.isInFlight || this.told !== this.count
  }

  /** The members that have leased slots. */
  members(): ReadonlyArray<Member> {
    return [...this.allocator.leases(this.key).keys()].filter((member): member is Member => member !== rest)
  }

  /** Slots that members have leased. */
  used(): number {
    let used = -this.rest
    for (const count of this.allocator.leases(this.key).values()) used += count
    return used
  }

  /** Slots that this machine has leased and no member has. */
  free(): number {
    return Math.max(this.count - this.used(), 0)
  }

  /** Whether the rest has more slots than the allocator knows. */
  hasRestMore(): boolean {
    return this.restNow() > this.rest
  }

  /** Tells the allocator what the rest has leased; with `round`, as the answer to a recall. */
  settle(round?: number): void {
    const { key, allocator } = this
    const more = this.restNow() - this.rest
    this.rest += more
    if (more > 0) allocator.receive(rest, { _tag: "own", key, over: more })
    if (more < 0 || round !== undefined) {
      const count = Math.max(-more, 0)
      allocator.receive(rest, { _tag: "back", key, count, ...(round !== undefined && { round }) })
    }
    this.idle = Math.min(this.idle, this.free())
  }

  /** Whether nothing here is in use, asked for or under way. */
  isQuiet(): boolean {
    return (
      !this.isInFlight &&
      this.round === undefined &&
      this.recall === undefined &&
      this.used() === 0 &&
      !this.allocator.isWaiting(this.key)
    )
  }

  /** The allocator forgets the limit. */
  end(): void {
    if (this.rest > 0) this.allocator.receive(rest, { _tag: "back", key: this.key, count: this.rest })
  }

  private restNow(): number {
    return this.limit === Number.POSITIVE_INFINITY ? 0 : Math.max(this.limit - this.count, 0)
  }
}
