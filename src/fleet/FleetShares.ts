/**
 * The shares of limited bandwidth: a machine has a share of each limit by its demand, and its members have shares of that.
 */
import * as RateAllocator from "../limits/RateAllocator.ts"
import type { Fault } from "./Faults.ts"
import { hasFailed } from "./FleetStore.ts"
import { bucketOf } from "./Keys.ts"
import type { Leases, Membership } from "./Membership.ts"
import { TakeShare, whole } from "./scripts/TakeShare.ts"

/** The weight of a machine that needs all of its share, and of one that does not. */
const busy = 8
const idle = 1

interface Limit<Member> {
  readonly name: string
  readonly parts: Map<Member, Part>
  /** The share of this machine, in millionths. */
  share: number
  isInFlight: boolean
  /** The store is to be asked again when its reply is there. */
  isDue: boolean
  /** Whether the last order to the store, which says what the machine uses, was taken. */
  askedAt: number
}

/** What a member has of a limit. */
interface Part {
  readonly id: number
  isBusy: boolean
  /** The member's part of the machine's share, and the allocator's turn of it. */
  part: number
  turn: number
  /** The machine's share that was sent last, its turn, and the one that the member keeps to. */
  sent: number
  sentTurn: number
  kept: number
}

export class FleetShares<Member> implements Leases {
  private readonly limits = new Map<string, Limit<Member>>()
  private readonly allocator: RateAllocator.RateAllocator<Member>
  private readonly membership: Membership
  private readonly fault: Fault
  private readonly send: (member: Member, share: RateAllocator.Share) => void
  private turns = 0

  constructor(
    membership: Membership,
    fault: Fault,
    send: (member: Member, share: RateAllocator.Share) => void
  ) {
    this.membership = membership
    this.fault = fault
    this.send = send
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
    if (limit) this.ask(limit)
    return true
  }

  /** Asks for the shares of the limits of which this machine needs more. To be called once a second. */
  sweep(): void {
    for (const limit of this.limits.values()) {
      if (limit.share < whole && weightOf(limit) === busy) this.ask(limit)
    }
  }

  renew(done: (areRenewed: boolean) => void): void {
    let open = this.limits.size
    if (open === 0) {
      done(true)
      return
    }
    let areRenewed = true
    for (const limit of this.limits.values()) {
      this.call(limit, (isDone) => {
        areRenewed &&= isDone
        if (--open === 0) done(areRenewed)
      })
    }
  }

  lose(): void {
    if (this.fault === "keep") return
    const share = this.fault === "deny" ? 0 : Math.floor(whole / this.membership.machines)
    for (const limit of this.limits.values()) this.setShare(limit, share)
  }

  surrender(): void {}

  /** Gives all shares back, at the end. */
  end(): void {
    for (const limit of this.limits.values()) {
      limit.parts.clear()
      this.call(limit, () => {})
    }
  }

  /** The share of a limit that this machine has, from 0 to 1. */
  share(name: string): number {
    return (this.limits.get(name)?.share ?? 0) / whole
  }

  private begin(name: string): Limit<Member> {
    const limit: Limit<Member> = {
      ...{ name, parts: new Map(), share: 0, isInFlight: false, isDue: false },
      askedAt: Number.NEGATIVE_INFINITY
    }
    this.limits.set(name, limit)
    if (this.membership.isAlone() && this.fault === "share") {
      limit.share = Math.floor(whole / this.membership.machines)
    }
    return limit
  }

  private drop(limit: Limit<Member>, member: Member): void {
    limit.parts.delete(member)
    if (limit.parts.size > 0) return
    this.limits.delete(limit.name)
    this.call(limit, () => {})
  }

  /** Tells a member its share of the whole. */
  private tell({ name, share }: Limit<Member>, member: Member, part: Part): void {
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
    else this.call(limit, () => {})
  }

  private call(limit: Limit<Member>, done: (isDone: boolean) => void): void {
    const { store, keys, id, lease } = this.membership
    const { name } = limit
    limit.isInFlight = true
    limit.isDue = false
    const using = usingOf(limit)
    store.call(
      TakeShare,
      [keys.ofBucket("epoch", bucketOf(name)), keys.of("shares", name), keys.of("share-ends", name)],
      [
        ...[id, name, keys.channels, this.membership.nextOrder()],
        ...[weightOf(limit), using, lease, this.membership.machines]
      ],
      (reply) => {
        limit.isInFlight = false
        if (hasFailed(reply) || reply < 0) return done(false)
        if (limit.parts.size > 0) {
          this.setShare(limit, reply)
          // The store counts the smaller share when the members have confirmed it, which they do at once.
          if (reply < using) limit.isDue = true
          if (limit.isDue && usingOf(limit) === limit.share) this.ask(limit)
        }
        done(true)
      }
    )
  }
}

const weightOf = <Member>({ parts }: Limit<Member>): number => {
  if (parts.size === 0) return 0
  for (const { isBusy } of parts.values()) if (isBusy) return busy
  return idle
}

/** The most that the members may be using, as a share of the machine. */
const usingOf = <Member>({ parts, share }: Limit<Member>): number => {
  let most = parts.size === 0 ? 0 : share
  for (const { kept, sent } of parts.values()) most = Math.max(most, kept, sent)
  return most
}
