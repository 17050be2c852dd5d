/**
 * Recalls of the store, which asks a machine for the slots that its members do not use.
 */
import type * as SlotAllocator from "../limits/SlotAllocator.ts"
import type { LimitSlots } from "./LimitSlots.ts"
import type { Membership } from "./Membership.ts"
import { patience } from "./scripts/AcquireSlots.ts"

export class SlotRecalls<Member extends object> {
  private readonly membership: Membership
  private readonly send: (member: Member, ruling: SlotAllocator.Ruling) => void
  private readonly give: (slots: LimitSlots<Member>, round: string) => void
  private count = 0

  /** `give` gives the free slots of a limit back, as the answer to a recall. */
  constructor(
    membership: Membership,
    send: (member: Member, ruling: SlotAllocator.Ruling) => void,
    give: (slots: LimitSlots<Member>, round: string) => void
  ) {
    this.membership = membership
    this.send = send
    this.give = give
  }

  /** Asks the members, and answers when all have answered, or half of the time is over. */
  begin(slots: LimitSlots<Member>, round: string): void {
    const open = new Set(slots.members())
    const recall = { round, id: -++this.count, open }
    slots.recall = recall
    for (const member of open) this.send(member, { _tag: "recall", key: slots.key, round: recall.id })
    if (open.size === 0) {
      this.answer(slots)
      return
    }
    this.membership.after(patience / 2, () => {
      if (slots.recall === recall) this.answer(slots)
    })
  }

  /** A member has answered, or has ended. */
  hasAnswered(slots: LimitSlots<Member>, member: Member): void {
    if (slots.recall?.open.delete(member) && slots.recall.open.size === 0) this.answer(slots)
  }

  private answer(slots: LimitSlots<Member>): void {
    const { round } = slots.recall!
    slots.recall = undefined
    const give = () => this.give(slots, round)
    // Until its reply is there, the store may count more than is known here.
    if (slots.isInFlight) slots.landed.push(give)
    else give()
  }
}
