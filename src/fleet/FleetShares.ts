/**
 * The shares of limited bandwidth: a machine has a share of each limit by its demand, and its members have shares of that.
 */
import * as RateAllocator from "../limits/RateAllocator.ts"
import type { Fault } from "./Faults.ts"
import { FleetLimits } from "./FleetLimits.ts"
import { hasFailed } from "./FleetStore.ts"
import { gather } from "./Gather.ts"
import { bucketOf } from "./Keys.ts"
import type { Leases } from "./Leases.ts"
import type { Membership } from "./Membership.ts"
import { Demand, TakeShare, whole } from "./scripts/TakeShare.ts"

/** Milliseconds for which an answer is new enough, where all that changes is told at once. */
const recent = 600

/** Milliseconds after a notice until the store is asked. Where one needs more, all others give some: one after the other. */
const gathering = 50

interface Limit<Member> {
  readonly name: string
  readonly parts: Map<Member, Part>
  /** The share of this machine, in millionths. */
  share: number
  /** A call has no reply. There is one at a time, so that each says all that earlier replies have granted. */
  isInFlight: boolean
  /** The store is to be asked again, when its reply is there and the members keep to their shares. */
  isDue: boolean
  /** The store has told that another share is smaller, and is asked soon. */
  isNoticed: boolean
  /** When the store was asked last. */
  askedAt: number
  /** Renewals that wait for the reply. */
  readonly renewals: Array<Done>
}

type Done = (isRenewed: boolean) => void

/** What a member has of a limit. */
interface Part {
  readonly id: number
  isBusy: boolean
  /** The member's part of the machine's share, and the allocator's turn of it. */
  part: number
  turn: number
  /** The machine's share that was sent last, its turn, and the largest that the member may still keep to. */
  sent: number
  sentTurn: number
  kept: number
}

export class FleetShares<Member> extends FleetLimits<Member, RateAllocator.Share> implements Leases {
  private readonly limits = new Map<string, Limit<Member>>()
  private readonly allocator: RateAllocator.RateAllocator<Member>
  private turns = 0

  constructor(
    membership: Membership,
    fault: Fault,
    send: (member: Member, share: RateAllocator.Share) => void
  ) {
    super(membership, fault, send)
    this.allocator = RateAllocator.make<Member>((member, { name, turn, share }) => {
      const limit = this.limits.get(name)
      const part = limit?.parts.get(member)
      if (limit === undefined || part === undefined) return
      part.part = share
      part.turn = turn
      this.tell(limit, member, part)
    })
    membership.add(this)
  }

  /** Takes a message of a member. */
  receive(member: Member, need: RateAllocator.ShareRequest): void {
    const { name } = need
    this.membership.check()
    const limit = this.limits.get(name) ?? this.begin(name)
    const part = limit.parts.get(member)
    switch (need._tag) {
      case "enter":
        limit.parts.set(member, {
          ...{ id: need.id, isBusy: true, part: 0, turn: 0 },
          ...{ sent: 0, sentTurn: 0, kept: 0 }
        })
        this.allocator.receive(member, need)
        this.ask(limit)
        break
      case "demand":
        if (part) part.isBusy = need.isBusy
        this.allocator.receive(member, need)
        this.ask(limit)
        break
      case "kept":
        if (part?.sentTurn !== need.turn) break
        part.kept = part.sent
        this.allocator.receive(member, { _tag: "kept", name, turn: part.turn })
        // A smaller share counts at the store when all members keep to it.
        if (limit.isDue) this.ask(limit)
        break
      case "leave":
        this.drop(limit, member)
        this.allocator.receive(member, need)
        break
    }
  }

  /** Removes a member that has ended. */
  remove(member: Member): void {
    for (const limit of [...this.limits.values()]) if (limit.parts.has(member)) this.drop(limit, member)
    this.allocator.remove(member)
  }

  /** Takes a notice of the store. Returns false if it is about something else. */
  notice(text: string): boolean {
    if (!text.startsWith("share ")) return false
    const limit = this.limits.get(text.slice("share ".length))
    if (limit === undefined || limit.isNoticed) return true
    limit.isNoticed = true
    this.membership.after(gathering, () => {
      limit.isNoticed = false
      if (this.limits.get(limit.name) === limit) this.ask(limit)
    })
    return true
  }

  /** Asks for the shares of the limits of which this machine needs more. To be called once a second. */
  sweep(): void {
    const now = this.membership.now()
    for (const limit of this.limits.values()) {
      const isBusy = limit.share < whole && demandOf(limit) === Demand.busy
      // A renewal has asked as well.
      if (isBusy && now - limit.askedAt >= recent) this.ask(limit)
    }
  }

  renew(done: (areRenewed: boolean) => void): void {
    const { one, close } = gather(done)
    for (const limit of this.limits.values()) {
      const isRenewed = one()
      if (limit.isInFlight) limit.renewals.push(isRenewed)
      else this.call(limit, [isRenewed])
    }
    close()
  }

  /** Others may have its shares from now on, so the machine uses no more than without a store. */
  surrender(): void {
    for (const limit of this.limits.values()) this.setShare(limit, Math.min(limit.share, this.shareOf(limit)))
  }

  lose(): void {
    for (const limit of this.limits.values()) this.setShare(limit, this.shareOf(limit))
  }

  /** Gives all shares back, at the end. */
  end(): void {
    for (const limit of this.limits.values()) {
      limit.parts.clear()
      this.call(limit)
    }
  }

  /** The share of a limit that this machine has, from 0 to 1. */
  share(name: string): number {
    return (this.limits.get(name)?.share ?? 0) / whole
  }

  private begin(name: string): Limit<Member> {
    const limit: Limit<Member> = {
      ...{ name, parts: new Map(), share: 0, isInFlight: false, isDue: false, renewals: [] },
      isNoticed: false,
      askedAt: Number.NEGATIVE_INFINITY
    }
    this.limits.set(name, limit)
    if (this.membership.isAlone()) limit.share = this.shareOf(limit)
    return limit
  }

  /** The share of a limit without a store. */
  private shareOf({ share }: Limit<Member>): number {
    return this.allowedOf(whole, share)
  }

  private drop(limit: Limit<Member>, member: Member): void {
    limit.parts.delete(member)
    if (limit.parts.size > 0) return
    this.limits.delete(limit.name)
    this.call(limit)
  }

  /** Tells a member its share of the whole. */
  private tell({ name, share }: Limit<Member>, member: Member, part: Part): void {
    // Until the member has confirmed this one, it may use the one before, which it has not confirmed either.
    part.kept = Math.max(part.kept, part.sent)
    part.sent = share
    part.sentTurn = ++this.turns
    this.send(member, {
      ...{ _tag: "share", name, id: part.id, turn: part.sentTurn },
      share: (part.part * share) / whole
    })
  }

  private setShare(limit: Limit<Member>, share: number): void {
    if (share === limit.share) return
    limit.share = share
    for (const [member, part] of limit.parts) this.tell(limit, member, part)
  }

  /** Asks the store for the share of this machine, unless an answer is on its way. */
  private ask(limit: Limit<Member>): void {
    if (this.membership.isLost) return
    if (limit.isInFlight) limit.isDue = true
    else this.call(limit)
  }

  private call(limit: Limit<Member>, renewals: ReadonlyArray<Done> = []): void {
    const { store, keys, id, lease } = this.membership
    const { name } = limit
    limit.isInFlight = true
    limit.isDue = false
    limit.askedAt = this.membership.now()
    const using = usingOf(limit)
    const until = this.membership.leaseEnd()
    store.call(
      TakeShare,
      [keys.ofBucket("epoch", bucketOf(name)), keys.of("shares", name), keys.of("share-ends", name)],
      [id, name, keys.channels, this.membership.nextOrder(), demandOf(limit), using, lease],
      (reply) => {
        limit.isInFlight = false
        // A share that comes after the end of its own lease, as to a machine that stood still, is another's by now.
        const isTaken = !hasFailed(reply) && reply >= 0 && this.membership.now() < until
        if (isTaken && limit.parts.size > 0 && !this.membership.isAlone()) {
          // What members may still use of a share that has ended is counted, and not given back to them.
          this.setShare(limit, Math.min(reply, reply > using ? whole : limit.share))
          // The store counts the smaller share when the members have confirmed it, which they do at once.
          if (limit.share < using) limit.isDue = true
        }
        for (const done of renewals) done(isTaken)
        this.next(limit, isTaken)
      }
    )
  }

  /** What has waited for the reply of a call. */
  private next(limit: Limit<Member>, isTaken: boolean): void {
    const renewals = limit.renewals.splice(0)
    // The members have left, which the store was told at once.
    if (limit.parts.size === 0) for (const done of renewals) done(isTaken)
    else if (renewals.length > 0) this.call(limit, renewals)
    else if (limit.isDue && usingOf(limit) === limit.share) this.ask(limit)
  }
}

const demandOf = <Member>({ parts }: Limit<Member>): number => {
  if (parts.size === 0) return Demand.none
  for (const { isBusy } of parts.values()) if (isBusy) return Demand.busy
  return Demand.idle
}

/** The most that the members may be using, as a share of the machine. */
const usingOf = <Member>({ parts, share }: Limit<Member>): number => {
  let most = parts.size === 0 ? 0 : share
  for (const { kept, sent } of parts.values()) most = Math.max(most, kept, sent)
  return most
}
