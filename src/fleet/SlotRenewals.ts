/**
 * The leases of a machine's slots, one for each bucket, and what the store has to be told anew with them.
 */
import { hasFailed } from "./FleetStore.ts"
import { gather } from "./Gather.ts"
import { bucketOf, buckets } from "./Keys.ts"
import type { LimitSlots } from "./LimitSlots.ts"
import type { Membership } from "./Membership.ts"
import { call } from "./SlotCalls.ts"
import type { SlotReports } from "./SlotReports.ts"
import { RenewSlots } from "./scripts/RenewSlots.ts"

/** All limits of a machine. */
interface Limits<Member extends object> {
  readonly all: () => Iterable<LimitSlots<Member>>
  /** The slots of this limit, also where the machine knows nothing of it. */
  readonly of: (key: string) => LimitSlots<Member>
}

export class SlotRenewals<Member extends object> {
  private readonly membership: Membership
  private readonly limits: Limits<Member>
  private readonly reports: SlotReports<Member>
  /** With which order the lease of each bucket began. */
  private readonly since = new Map<number, number>()
  /** The bucket of which all is told at the next renewal. */
  private whole: number

  constructor(membership: Membership, limits: Limits<Member>, reports: SlotReports<Member>) {
    this.membership = membership
    this.limits = limits
    this.reports = reports
    this.whole = bucketOf(membership.id)
  }

  /**
   * Renews the lease of each bucket, and tells what the store may not know. Of one bucket after the other the machine
   * tells all, so that no difference stays that neither side knows of.
   */
  renew(done: (areRenewed: boolean) => void): void {
    const { one, close } = gather(done)
    const order = this.membership.nextOrder()
    this.whole = (this.whole + 1) % buckets
    const all = [...this.limits.all()]
    for (const bucket of new Set(all.map((slots) => slots.bucket))) this.renewBucket(bucket, order, one())
    this.reports.tell(
      all.filter(({ isUntold }) => isUntold),
      one()
    )
    close()
  }

  /** The leases may be others, of which the store is to tell all. */
  forget(): void {
    this.since.clear()
  }

  private renewBucket(bucket: number, order: number, done: (isRenewed: boolean) => void): void {
    const { membership, limits } = this
    const known = bucket === this.whole ? 0 : (this.since.get(bucket) ?? 0)
    call(membership, RenewSlots, bucket, [membership.id, membership.lease, order, known], (reply) => {
      if (hasFailed(reply)) return done(false)
      if (reply.length === 1) return done(true)
      const [since, age, keys] = reply
      membership.remembers(age)
      this.since.set(bucket, since)
      for (const key of keys) limits.of(key)
      // What was told behind this renewal is known already.
      const isUntold = (slots: LimitSlots<Member>) => slots.bucket === bucket && slots.order < order
      this.reports.tell([...limits.all()].filter(isUntold), done)
    })
  }
}
