/**
 * The slots of counted limits, which a machine leases from the fleet's store and leases on to its members.
 *
 * To the allocator of the machine, the rest of the fleet is one more member: it has leased all slots that this machine
 * has not. When it is asked for slots that it does not use, the store is asked. So what holds among the members of a seat
 * holds among machines: never more than the limit in total, and no refusal while there is room.
 */
import * as SlotAllocator from "../limits/SlotAllocator.ts"
import type { Fault } from "./Faults.ts"
import { FleetLimits } from "./FleetLimits.ts"
import type { Leases } from "./Leases.ts"
import { type Allocator, LimitSlots, rest } from "./LimitSlots.ts"
import type { Membership } from "./Membership.ts"
import { SlotRecalls } from "./SlotRecalls.ts"
import { SlotRenewals } from "./SlotRenewals.ts"
import { SlotReports } from "./SlotReports.ts"
import { SlotRequests } from "./SlotRequests.ts"

export class FleetSlots<Member extends object>
  extends FleetLimits<Member, SlotAllocator.Ruling>
  implements Leases
{
  private readonly limits = new Map<string, LimitSlots<Member>>()
  private readonly allocator: Allocator<Member>
  private readonly requests: SlotRequests<Member>
  private readonly recalls: SlotRecalls<Member>
  private readonly reports: SlotReports<Member>
  private readonly renewals: SlotRenewals<Member>

  constructor(
    membership: Membership,
    fault: Fault,
    send: (member: Member, ruling: SlotAllocator.Ruling) => void
  ) {
    super(membership, fault, send)
    this.allocator = SlotAllocator.make<Member | typeof rest>((member, ruling) => {
      if (member !== rest) send(member, ruling)
      // Later, as the allocator is in the middle of a call.
      else if (ruling._tag === "recall") membership.after(0, () => this.recalled(ruling.key, ruling.round))
    })
    this.requests = new SlotRequests(membership, (slots) => this.forget(slots))
    this.recalls = new SlotRecalls(membership, send, (slots, round) => this.answerRecall(slots, round))
    this.reports = new SlotReports(membership, (slots, over) => {
      this.shed(slots, over)
      this.forget(slots)
    })
    const limits = { all: () => this.limits.values(), of: (key: string) => this.of(key) }
    this.renewals = new SlotRenewals(membership, limits, this.reports)
    membership.add(this)
  }

  /** Takes a message of a member. */
  receive(member: Member, claim: SlotAllocator.Claim): void {
    this.membership.check()
    const slots = this.of(claim.key)
    if (claim._tag === "ask") this.setLimit(slots, claim.limit)
    // A machine without a store may use no more for that.
    if (claim._tag !== "back" && claim.over > 0 && !this.membership.isAlone()) {
      slots.count += claim.over
      this.reports.soon(slots)
    }
    if (claim._tag === "back") this.returned(slots, claim.count)
    // What the rest has more comes before the request, and what it has less behind it, when the allocator has the limit.
    if (slots.hasRestMore()) slots.settle()
    this.allocator.receive(member, claim)
    slots.settle()
    if (slots.count > slots.limit) this.giveBack(slots, slots.count - slots.limit)
    if (claim._tag === "back" && slots.recall !== undefined && claim.round === slots.recall.id) {
      this.recalls.hasAnswered(slots, member)
    }
    this.forget(slots)
  }

  /** Removes a member that has ended. */
  remove(member: Member): void {
    this.allocator.remove(member)
    for (const slots of [...this.limits.values()]) {
      slots.settle()
      this.recalls.hasAnswered(slots, member)
      this.forget(slots)
    }
  }

  /** Takes a notice of the store. Returns false if it is about something else. */
  notice(text: string): boolean {
    const [, kind, round = "", key = ""] = /^(recall|free|full)(?: (\d+)(?= ))? (.*)$/s.exec(text) ?? []
    if (kind === undefined) return false
    if (kind === "recall") this.recalls.begin(this.of(key), round)
    else this.requests.noticed(this.limits.get(key), kind === "free")
    return true
  }

  /** Gives back what was not used since the last call. To be called once a second. */
  sweep(): void {
    for (const slots of [...this.limits.values()]) {
      const { idle } = slots
      slots.idle = slots.free()
      if (idle > 0 && !this.membership.isLost && this.membership.store.isConnected()) {
        this.giveBack(slots, idle)
      }
      this.forget(slots)
    }
  }

  renew(done: (areRenewed: boolean) => void): void {
    this.renewals.renew(done)
  }

  /** Another store may be there, or one that has forgotten. */
  connected(): void {
    this.renewals.forget()
  }

  lose(): void {
    for (const slots of [...this.limits.values()]) {
      if (slots.limit === Number.POSITIVE_INFINITY) continue
      slots.count = this.mayUse(slots)
      slots.settle()
      this.requests.answer(slots)
      if (slots.used() > slots.count) this.askBack(slots)
    }
  }

  surrender(): void {
    this.renewals.forget()
    for (const slots of this.limits.values()) {
      slots.told = undefined
      slots.kept = Math.max(slots.kept, slots.count)
      slots.count = slots.used()
      slots.settle()
    }
  }

  hold(until: number): void {
    if (until === Number.POSITIVE_INFINITY) return
    for (const slots of [...this.limits.values()]) {
      slots.kept = 0
      // Those that have asked meanwhile.
      if (slots.round !== undefined && slots.askedAt === undefined) this.recalled(slots.key, slots.round)
    }
  }

  /** Gives all back, at the end. */
  end(): void {
    const all = [...this.limits.values()]
    for (const slots of all) slots.count = 0
    this.reports.put(all, "0", () => {})
  }

  /** Number of limits in memory. */
  size(): number {
    return this.limits.size
  }

  /** Slots of a limit that this machine has leased, or may use without a store. */
  leased(key: string): number {
    return this.limits.get(key)?.count ?? 0
  }

  private of(key: string): LimitSlots<Member> {
    const known = this.limits.get(key)
    if (known) return known
    const slots = new LimitSlots<Member>(key, this.allocator)
    this.limits.set(key, slots)
    return slots
  }

  private setLimit(slots: LimitSlots<Member>, limit: number): void {
    if (slots.limit === limit) return
    slots.limit = limit
    slots.fullUntil = 0
    if (this.membership.isAlone()) slots.count = this.mayUse(slots)
  }

  private mayUse({ limit, count, kept }: LimitSlots<Member>): number {
    return this.allowedOf(limit, Math.max(count, kept))
  }

  /**
   * What comes back is not leased again here, while more is leased than there is: nor after the end of the leases,
   * before the store has answered.
   */
  private returned(slots: LimitSlots<Member>, count: number): void {
    if (this.membership.isAlone()) return
    const excess = Math.min(count, this.membership.isLost ? slots.count : slots.over, slots.count)
    if (excess <= 0) return
    slots.count -= excess
    slots.over = Math.max(slots.over - excess, 0)
    if (!this.membership.isLost) this.reports.soon(slots)
  }

  /** Forgets a limit of which nothing is leased or asked for. */
  private forget(slots: LimitSlots<Member>): void {
    const { key, count, kept, told } = slots
    if (this.limits.get(key) !== slots || !slots.isQuiet()) return
    // A refusal that holds is remembered.
    if (this.membership.now() < slots.fullUntil) return
    // When the lease is over, the store is told all.
    if (told !== 0 && !this.membership.isLost) return
    // A machine without a store keeps what it had, if that is the setting; a share is worked out anew.
    const isKept = this.membership.isLost ? this.fault === "keep" && count + kept > 0 : count > 0
    if (isKept) return
    slots.end()
    this.limits.delete(key)
  }

  private recalled(key: string, round: number): void {
    const slots = this.limits.get(key)
    if (slots !== undefined) this.requests.recalled(slots, round)
  }

  /** Gives the free slots back, as the answer to a recall of the store. */
  private answerRecall(slots: LimitSlots<Member>, round: string): void {
    if (this.membership.isLost) return
    slots.count -= slots.free()
    slots.settle()
    this.reports.put([slots], round, () => {})
    this.forget(slots)
  }

  /** Gives up to so many free slots back. */
  private giveBack(slots: LimitSlots<Member>, most: number): void {
    const count = Math.min(most, slots.free())
    if (count === 0) return
    slots.count -= count
    slots.settle()
    this.reports.soon(slots)
  }

  /** Asks members for what they have leased and do not use, and for what they use as soon as it is free. */
  private askBack(slots: LimitSlots<Member>): void {
    for (const member of slots.members()) {
      this.send(member, { _tag: "recall", key: slots.key, round: 0, isOver: true })
    }
  }

  /** More slots are leased than there are, since the store had forgotten some or the limit is lower now. */
  private shed(slots: LimitSlots<Member>, over: number): void {
    const { isLost } = this.membership
    // A store that has forgotten does not know yet what others have. Until then all that was in use without it is too much.
    if (this.membership.now() >= this.membership.leasesFrom) slots.over = over
    else slots.over = isLost ? slots.count : Math.max(slots.over, over)
    if (slots.over === 0 || !this.limits.has(slots.key)) return
    // Also before leases hold again: a member may have slots that are free, and is told of its leases behind this.
    this.askBack(slots)
    if (!isLost) this.giveBack(slots, over)
  }
}
