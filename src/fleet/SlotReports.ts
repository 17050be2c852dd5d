/**
 * What a machine tells the store of its slots: how many it has of each limit.
 */
import { byBucket } from "./Batches.ts"
import { hasFailed } from "./FleetStore.ts"
import { gather } from "./Gather.ts"
import type { LimitSlots } from "./LimitSlots.ts"
import type { Membership } from "./Membership.ts"
import { call } from "./SlotCalls.ts"
import { patience, refusal } from "./scripts/AcquireSlots.ts"
import { PutSlots } from "./scripts/PutSlots.ts"

/** The most limits of one call. */
const batch = 64

export class SlotReports<Member extends object> {
  private readonly membership: Membership
  private readonly taken: (slots: LimitSlots<Member>, over: number) => void
  /** Limits of which the store is told when the call under way is over. */
  private changed = new Set<LimitSlots<Member>>()

  /** `taken` gets how many slots of a limit are leased beyond it in all, when the store has taken a count. */
  constructor(membership: Membership, taken: (slots: LimitSlots<Member>, over: number) => void) {
    this.membership = membership
    this.taken = taken
  }

  /** Tells the store how many slots this machine has leased, with all else that changes in the call under way. */
  soon(slots: LimitSlots<Member>): void {
    if (this.changed.size === 0) {
      this.membership.after(0, () => {
        const { changed } = this
        this.changed = new Set()
        this.tell(
          [...changed].filter(({ isUntold }) => isUntold),
          () => {}
        )
      })
    }
    this.changed.add(slots)
  }

  /** Tells the store the counts of these limits, of those with a request under way behind that. */
  tell(all: ReadonlyArray<LimitSlots<Member>>, done: (areTaken: boolean) => void): void {
    const { one, close } = gather(done)
    for (const slots of all) {
      if (!slots.isInFlight) continue
      const isTold = one()
      slots.landed.push(() => (slots.told === slots.count ? isTold(true) : this.put([slots], "0", isTold)))
    }
    this.put(
      all.filter(({ isInFlight }) => !isInFlight),
      "0",
      one()
    )
    close()
  }

  /**
   * Tells the store the counts of these limits, as the answer to a recall, or to none, which is "0". `done` is called with
   * whether the store has taken all of them.
   */
  put(all: ReadonlyArray<LimitSlots<Member>>, round: string, done: (areTaken: boolean) => void): void {
    const { membership } = this
    const order = membership.nextOrder()
    const { one, close } = gather(done)
    for (const some of byBucket(all, ({ bucket }) => bucket, batch)) {
      const isTaken = one()
      const rows = some.map((slots) => {
        slots.told = undefined
        slots.order = order
        return { slots, count: slots.count }
      })
      call(
        membership,
        PutSlots,
        some[0]!.bucket,
        [
          ...[membership.id, membership.lease, order, membership.keys.channels, patience, refusal],
          ...rows.flatMap(({ slots: { key, limit }, count }) => [
            ...[key, count, limit === Number.POSITIVE_INFINITY ? 0 : limit, round]
          ])
        ],
        (reply) => {
          if (hasFailed(reply)) return isTaken(false)
          const [age, beyond] = reply
          // Before the numbers are judged: the store may have forgotten since the last renewal.
          membership.remembers(age)
          for (const [index, { slots, count }] of rows.entries()) {
            const over = beyond[index] ?? -1
            if (over < 0) continue
            if (slots.order === order) slots.told = count
            this.taken(slots, over)
          }
          isTaken(beyond.every((over) => over >= 0))
        }
      )
    }
    close()
  }
}
