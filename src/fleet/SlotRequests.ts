/**
 * What a machine asks the store for: slots that its members need, and the rest of the fleet may have free.
 */
import { hasFailed } from "./FleetStore.ts"
import type { LimitSlots } from "./LimitSlots.ts"
import type { Membership } from "./Membership.ts"
import { call } from "./SlotCalls.ts"
import { AcquireSlots, Outcome, patience, refusal } from "./scripts/AcquireSlots.ts"

/** Milliseconds after which a request is refused, if nothing was heard of it. */
const longest = patience + 50

/**
 * Milliseconds for which a refusal holds for this machine without a call, so that those who are refused again and again cost the
 * store little.
 */
const quiet = 25

/** The part of the free slots that is leased at once: an eighth, and half of an equal part where there are more machines. */
const partFor = (machines: number): number => Math.max(8, 2 * machines)

export class SlotRequests<Member extends object> {
  private readonly membership: Membership
  private readonly forget: (slots: LimitSlots<Member>) => void

  /** `forget` is called with a limit of which nothing may be asked for any more. */
  constructor(membership: Membership, forget: (slots: LimitSlots<Member>) => void) {
    this.membership = membership
    this.forget = forget
  }

  /** The allocator asks for slots that the rest does not use. */
  recalled(slots: LimitSlots<Member>, round: number): void {
    slots.round = round
    this.membership.check()
    const { isLost, store } = this.membership
    const isFull = this.membership.now() < slots.fullUntil
    if (this.membership.isAlone() || !store.isConnected() || isFull) this.answer(slots)
    // Until the store has answered to what is in use here.
    else if (!isLost && !slots.isInFlight) this.request(slots)
  }

  /** Answers the recall of the allocator, with what this machine has leased meanwhile. */
  answer(slots: LimitSlots<Member>): void {
    slots.askedAt = undefined
    const { round } = slots
    slots.round = undefined
    if (round !== undefined) slots.settle(round)
    this.forget(slots)
  }

  /** The store tells that there is a free slot, or that there is none. */
  noticed(slots: LimitSlots<Member> | undefined, isFree: boolean): void {
    // A notice that arrives before the reply of a request was sent before the request was there.
    if (slots?.askedAt === undefined || slots.isInFlight) return
    if (isFree) this.request(slots)
    else this.refused(slots)
  }

  private refused(slots: LimitSlots<Member>): void {
    slots.fullUntil = this.membership.now() + quiet
    this.answer(slots)
  }

  private request(slots: LimitSlots<Member>): void {
    const { membership } = this
    if (slots.askedAt === undefined) {
      const at = membership.now()
      slots.askedAt = at
      // A notice may be lost.
      membership.after(longest, () => {
        if (slots.askedAt === at && !slots.isInFlight) this.answer(slots)
      })
    }
    const { key, bucket, limit, count: have } = slots
    const order = membership.nextOrder()
    slots.isInFlight = true
    slots.told = undefined
    slots.order = order
    call(
      membership,
      AcquireSlots,
      bucket,
      [
        ...[membership.id, membership.lease, order, membership.keys.channels, key, have, 1, limit],
        ...[partFor(membership.machines), patience, refusal]
      ],
      (reply) => {
        slots.isInFlight = false
        const [count, outcome] = hasFailed(reply) ? [0, Outcome.full] : reply
        // What comes too late is taken back by the next renewal.
        if (!membership.isLost) slots.count += Math.max(Math.min(count, slots.limit - slots.count), 0)
        if (!hasFailed(reply) && outcome !== Outcome.late && slots.order === order) slots.told = have + count
        for (const call of slots.landed.splice(0)) call()
        const isLate = membership.now() - (slots.askedAt ?? 0) >= longest
        if (outcome === Outcome.full && !hasFailed(reply)) this.refused(slots)
        else if (outcome !== Outcome.waiting || isLate) this.answer(slots)
      }
    )
  }
}
