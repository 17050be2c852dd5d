/**
 * The slots of counted limits, which a machine leases from the fleet's store and leases on to its members.
 *
 * To the allocator of the machine, the rest of the fleet is one more member: it has leased all slots that this machine
 * has not. When it is asked for slots that it does not use, the store is asked. So what holds among the members of a seat
 * holds among machines: never more than the limit in total, and no refusal while there is room.
 */
import * as SlotAllocator from "../limits/SlotAllocator.ts"
import { byBucket } from "./Batches.ts"
import type { Fault } from "./Faults.ts"
import { FleetLimits } from "./FleetLimits.ts"
import { type Answer, hasFailed } from "./FleetStore.ts"
import { bucketOf, buckets } from "./Keys.ts"
import type { Leases, Membership } from "./Membership.ts"
import type { Script } from "./Script.ts"
import { AcquireSlots, Outcome } from "./scripts/AcquireSlots.ts"
import { PutSlots } from "./scripts/PutSlots.ts"
import { RenewSlots } from "./scripts/RenewSlots.ts"

/** Milliseconds in which machines answer a recall. */
const patience = 250

/** Milliseconds after which a request is refused, if nothing was heard of it. */
const longest = patience + 50

/** Milliseconds for which a refusal holds for all machines that ask. */
const refusal = 100

/** The part of the free slots that is leased at once: an eighth, and half of an equal part where there are more machines. */
const partFor = (machines: number): number => Math.max(8, 2 * machines)

/** The most limits of one call. */
const batch = 64

/** All machines but this one, as a member. */
const rest = Symbol("rest")

interface Entry<Member> {
  readonly key: string
  readonly bucket: number
  /** `Infinity` before a member has asked. */
  limit: number
  /** Slots that this machine has leased. */
  count: number
  /** Slots that it had when its leases ended, while it does not work with the store again. */
  kept: number
  /** Slots that are leased beyond the limit in all, as the store said last. */
  over: number
  /** Slots that the rest has leased, to the allocator. */
  rest: number
  /** Lowest number of free slots since the last sweep. */
  idle: number
  /** The allocator's recall of the rest's slots, while the rest has not answered. */
  round: number | undefined
  /** When the store was asked for slots, while there is neither a grant nor a refusal. */
  askedAt: number | undefined
  /** Slots that the store has for this machine; undefined where that is not certain. */
  told: number | undefined
  /** The number of the last order about this limit. */
  order: number
  /** A request has no reply. Until then the store may count more than is known here, and must not be told a count. */
  isInFlight: boolean
  /** To be called when the reply is there. */
  readonly landed: Array<() => void>
  recall: Recall<Member> | undefined
}

/** A recall of the store, and the members that have not answered it. */
interface Recall<Member> {
  readonly round: string
  readonly id: number
  readonly open: Set<Member>
}

export class FleetSlots<Member extends object>
  extends FleetLimits<Member, SlotAllocator.Ruling>
  implements Leases
{
  private readonly entries = new Map<string, Entry<Member>>()
  private readonly allocator: SlotAllocator.SlotAllocator<Member | typeof rest>
  private recalls = 0
  /** With which order the lease of each bucket began. */
  private readonly since = new Map<number, number>()
  /** The bucket of which all is told at the next renewal. */
  private whole: number
  /** Limits of which the store is told when the call under way is over. */
  private changed = new Set<Entry<Member>>()

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
    this.whole = bucketOf(membership.id)
    membership.add(this)
  }

  /** Takes a message of a member. */
  receive(member: Member, claim: SlotAllocator.Claim): void {
    this.membership.check()
    const entry = this.entryOf(claim.key)
    if (claim._tag === "ask") this.setLimit(entry, claim.limit)
    // A machine without a store may use no more for that.
    if (claim._tag !== "back" && claim.over > 0 && !this.membership.isAlone()) {
      entry.count += claim.over
      this.report(entry)
    }
    if (claim._tag === "back") this.returned(entry, claim.count)
    // What the rest has more comes before the request, and what it has less behind it, when the allocator has the limit.
    if (this.restOf(entry) > entry.rest) this.settle(entry)
    this.allocator.receive(member, claim)
    this.settle(entry)
    if (entry.count > entry.limit) this.giveBack(entry, entry.count - entry.limit)
    if (claim._tag === "back" && entry.recall !== undefined && claim.round === entry.recall.id) {
      this.hasAnswered(entry, member)
    }
    this.forget(entry)
  }

  /**
   * What comes back is not leased again here, while more is leased than there is: nor after the end of the leases,
   * before the store has answered.
   */
  private returned(entry: Entry<Member>, count: number): void {
    if (this.membership.isAlone()) return
    const excess = Math.min(count, this.membership.isLost ? entry.count : entry.over, entry.count)
    if (excess <= 0) return
    entry.count -= excess
    entry.over = Math.max(entry.over - excess, 0)
    if (!this.membership.isLost) this.report(entry)
  }

  /** Removes a member that has ended. */
  remove(member: Member): void {
    this.allocator.remove(member)
    for (const entry of [...this.entries.values()]) {
      this.settle(entry)
      if (entry.recall?.open.has(member)) this.hasAnswered(entry, member)
      this.forget(entry)
    }
  }

  /** Takes a notice of the store. Returns false if it is about something else. */
  notice(text: string): boolean {
    const [, kind, round = "", key = ""] = /^(recall|free|full)(?: (\d+)(?= ))? (.*)$/s.exec(text) ?? []
    if (kind === undefined) return false
    if (kind === "recall") this.askMembers(key, round)
    else this.told(this.entries.get(key), kind === "free")
    return true
  }

  /** Gives back what was not used since the last call. To be called once a second. */
  sweep(): void {
    for (const entry of [...this.entries.values()]) {
      const { idle } = entry
      entry.idle = this.freeOf(entry)
      if (idle > 0 && !this.membership.isLost && this.membership.store.isConnected()) {
        this.giveBack(entry, idle)
      }
      this.forget(entry)
    }
  }

  /**
   * Renews the lease of each bucket, and tells what the store may not know. Of one bucket after the other the machine
   * tells all, so that no difference stays that neither side knows of.
   */
  renew(done: (areRenewed: boolean) => void): void {
    const { one, close } = gather(done)
    const order = this.membership.nextOrder()
    this.whole = (this.whole + 1) % buckets
    const all = [...this.entries.values()]
    for (const bucket of new Set(all.map((entry) => entry.bucket))) this.renewBucket(bucket, order, one())
    this.tell(
      all.filter(({ isInFlight, told, count }) => isInFlight || told !== count),
      one()
    )
    close()
  }

  private renewBucket(bucket: number, order: number, done: (isRenewed: boolean) => void): void {
    const { id, lease } = this.membership
    const known = bucket === this.whole ? 0 : (this.since.get(bucket) ?? 0)
    this.call(RenewSlots, bucket, [id, lease, order, known], (reply) => {
      if (hasFailed(reply)) return done(false)
      if (reply.length === 1) return done(true)
      const [since, age, limits] = reply
      this.membership.remembers(age)
      this.since.set(bucket, since)
      for (const key of limits) this.entryOf(key)
      // What was told behind this renewal is known already.
      const isUntold = (entry: Entry<Member>) => entry.bucket === bucket && entry.order < order
      this.tell([...this.entries.values()].filter(isUntold), done)
    })
  }

  /** Another store may be there, or one that has forgotten. */
  connected(): void {
    this.since.clear()
  }

  lose(): void {
    for (const entry of [...this.entries.values()]) {
      if (entry.limit === Infinity) continue
      entry.count = this.mayUse(entry)
      this.settle(entry)
      this.answer(entry)
      if (this.usedOf(entry) > entry.count) this.askBack(entry)
    }
  }

  surrender(): void {
    this.since.clear()
    for (const entry of this.entries.values()) {
      entry.told = undefined
      entry.kept = Math.max(entry.kept, entry.count)
      entry.count = this.usedOf(entry)
      this.settle(entry)
    }
  }

  hold(until: number): void {
    if (until === Number.POSITIVE_INFINITY) return
    for (const entry of [...this.entries.values()]) {
      entry.kept = 0
      // Those that have asked meanwhile.
      if (entry.round !== undefined && entry.askedAt === undefined) this.recalled(entry.key, entry.round)
    }
  }

  /** Gives all back, at the end. */
  end(): void {
    const all = [...this.entries.values()]
    for (const entry of all) entry.count = 0
    this.put(all, "0", () => {})
  }

  /** Number of limits in memory. */
  size(): number {
    return this.entries.size
  }

  /** Slots of a limit that this machine has leased, or may use without a store. */
  leased(key: string): number {
    return this.entries.get(key)?.count ?? 0
  }

  private entryOf(key: string): Entry<Member> {
    const known = this.entries.get(key)
    if (known) return known
    const entry: Entry<Member> = {
      ...{
        key,
        bucket: bucketOf(key),
        limit: Infinity,
        count: 0,
        kept: 0,
        over: 0,
        rest: 0,
        idle: 0,
        told: 0,
        order: 0,
        isInFlight: false,
        landed: []
      },
      ...{ round: undefined, askedAt: undefined, recall: undefined }
    }
    this.entries.set(key, entry)
    return entry
  }

  private setLimit(entry: Entry<Member>, limit: number): void {
    if (entry.limit === limit) return
    entry.limit = limit
    if (this.membership.isAlone()) entry.count = this.mayUse(entry)
  }

  private mayUse({ limit, count, kept }: Entry<Member>): number {
    return this.allowedOf(limit, Math.max(count, kept))
  }

  private membersOf({ key }: Entry<Member>): ReadonlyArray<readonly [Member, number]> {
    return [...this.allocator.leases(key)].filter((lease): lease is [Member, number] => lease[0] !== rest)
  }

  /** Slots that members have leased. */
  private usedOf({ key, rest: others }: Entry<Member>): number {
    let used = -others
    for (const count of this.allocator.leases(key).values()) used += count
    return used
  }

  /** Slots that this machine has leased and no member has. */
  private freeOf(entry: Entry<Member>): number {
    return Math.max(entry.count - this.usedOf(entry), 0)
  }

  private restOf({ limit, count }: Entry<Member>): number {
    return limit === Infinity ? 0 : Math.max(limit - count, 0)
  }

  /** Tells the allocator what the rest has leased; with `round`, as the answer to a recall. */
  private settle(entry: Entry<Member>, round?: number): void {
    const { key } = entry
    const more = this.restOf(entry) - entry.rest
    entry.rest += more
    if (more > 0) this.allocator.receive(rest, { _tag: "own", key, over: more })
    if (more < 0 || round !== undefined) {
      const count = Math.max(-more, 0)
      this.allocator.receive(rest, { _tag: "back", key, count, ...(round !== undefined && { round }) })
    }
    entry.idle = Math.min(entry.idle, this.freeOf(entry))
  }

  /** Forgets a limit of which nothing is leased or asked for. */
  private forget(entry: Entry<Member>): void {
    const { key, count, kept, told, round, isInFlight, recall } = entry
    if (this.entries.get(key) !== entry) return
    if (isInFlight || round !== undefined || recall !== undefined || this.usedOf(entry) > 0) return
    // When the lease is over, the store is told all.
    if (told !== 0 && !this.membership.isLost) return
    // A machine without a store keeps what it had, if that is the setting; a share is worked out anew.
    const isKept = this.membership.isLost ? this.fault === "keep" && count + kept > 0 : count > 0
    if (isKept || this.allocator.isWaiting(key)) return
    const { rest: others } = entry
    if (others > 0) this.allocator.receive(rest, { _tag: "back", key, count: others })
    this.entries.delete(key)
  }

  /** The allocator asks for slots that the rest does not use. */
  private recalled(key: string, round: number): void {
    const entry = this.entries.get(key)
    if (entry === undefined) return
    entry.round = round
    this.membership.check()
    const { isLost, store } = this.membership
    if (this.membership.isAlone() || !store.isConnected()) this.answer(entry)
    // Until the store has answered to what is in use here.
    else if (!isLost && !entry.isInFlight) this.request(entry)
  }

  /** Answers the recall of the allocator, with what this machine has leased meanwhile. */
  private answer(entry: Entry<Member>): void {
    entry.askedAt = undefined
    const { round } = entry
    entry.round = undefined
    if (round !== undefined) this.settle(entry, round)
    this.forget(entry)
  }

  /** Asks the store for slots. */
  private request(entry: Entry<Member>): void {
    const { membership } = this
    const { key } = entry
    if (entry.askedAt === undefined) {
      const at = membership.now()
      entry.askedAt = at
      // A notice may be lost.
      membership.after(longest, () => {
        if (entry.askedAt === at && !entry.isInFlight) this.answer(entry)
      })
    }
    const have = entry.count
    const order = membership.nextOrder()
    entry.isInFlight = true
    entry.told = undefined
    entry.order = order
    this.call(
      AcquireSlots,
      entry.bucket,
      [
        ...[membership.id, membership.lease, order, membership.keys.channels, key, have, 1, entry.limit],
        ...[partFor(membership.machines), patience, refusal]
      ],
      (reply) => {
        entry.isInFlight = false
        const [count, outcome] = hasFailed(reply) ? [0, Outcome.full] : reply
        // What comes too late is taken back by the next renewal.
        if (!membership.isLost) entry.count += Math.max(Math.min(count, entry.limit - entry.count), 0)
        if (!hasFailed(reply) && outcome !== Outcome.late && entry.order === order) entry.told = have + count
        for (const call of entry.landed.splice(0)) call()
        const isLate = membership.now() - (entry.askedAt ?? 0) >= longest
        if (outcome !== Outcome.waiting || isLate) this.answer(entry)
      }
    )
  }

  /** The store tells that there is a free slot, or that there is none. */
  private told(entry: Entry<Member> | undefined, isFree: boolean): void {
    // A notice that arrives before the reply of a request was sent before the request was there.
    if (entry?.askedAt === undefined || entry.isInFlight) return
    if (isFree) this.request(entry)
    else this.answer(entry)
  }

  /** The store recalls what is not used here. */
  private askMembers(key: string, round: string): void {
    const entry = this.entryOf(key)
    const open = new Set(this.membersOf(entry).map(([member]) => member))
    const recall = { round, id: -++this.recalls, open }
    entry.recall = recall
    for (const member of open) this.send(member, { _tag: "recall", key, round: recall.id })
    if (open.size === 0) {
      this.answerStore(entry)
      return
    }
    this.membership.after(patience / 2, () => {
      if (entry.recall === recall) this.answerStore(entry)
    })
  }

  private hasAnswered(entry: Entry<Member>, member: Member): void {
    const { open } = entry.recall!
    open.delete(member)
    if (open.size === 0) this.answerStore(entry)
  }

  /** Gives the free slots back, as the answer to a recall of the store. */
  private answerStore(entry: Entry<Member>): void {
    const { round } = entry.recall!
    entry.recall = undefined
    const give = () => {
      if (this.membership.isLost) return
      entry.count -= this.freeOf(entry)
      this.settle(entry)
      this.put([entry], round, () => {})
      this.forget(entry)
    }
    if (entry.isInFlight) entry.landed.push(give)
    else give()
  }

  /** Gives up to so many free slots back. */
  private giveBack(entry: Entry<Member>, most: number): void {
    const count = Math.min(most, this.freeOf(entry))
    if (count === 0) return
    entry.count -= count
    this.settle(entry)
    this.report(entry)
  }

  /** Tells the store how many slots this machine has leased, with all else that changes in the call under way. */
  private report(entry: Entry<Member>): void {
    if (this.changed.size === 0) {
      this.membership.after(0, () => {
        const { changed } = this
        this.changed = new Set()
        this.tell(
          [...changed].filter(({ isInFlight, told, count }) => isInFlight || told !== count),
          () => {}
        )
      })
    }
    this.changed.add(entry)
  }

  /** Asks members for what they have leased and do not use, and for what they use as soon as it is free. */
  private askBack(entry: Entry<Member>): void {
    for (const [member] of this.membersOf(entry)) {
      this.send(member, { _tag: "recall", key: entry.key, round: 0, isOver: true })
    }
  }

  /** Tells the store the counts of these limits, of those with a request under way behind that. */
  private tell(entries: ReadonlyArray<Entry<Member>>, done: (areTaken: boolean) => void): void {
    const { one, close } = gather(done)
    for (const entry of entries) {
      if (!entry.isInFlight) continue
      const isTold = one()
      entry.landed.push(() => (entry.told === entry.count ? isTold(true) : this.put([entry], "0", isTold)))
    }
    this.put(
      entries.filter(({ isInFlight }) => !isInFlight),
      "0",
      one()
    )
    close()
  }

  /** Tells the store the counts of these limits. `done` is called with whether the store has taken all of them. */
  private put(entries: ReadonlyArray<Entry<Member>>, round: string, done: (areTaken: boolean) => void): void {
    const { membership } = this
    const order = membership.nextOrder()
    const { one, close } = gather(done)
    for (const some of byBucket(entries, ({ bucket }) => bucket, batch)) {
      const isTaken = one()
      const rows = some.map((entry) => {
        entry.told = undefined
        entry.order = order
        return { entry, count: entry.count }
      })
      this.call(
        PutSlots,
        some[0]!.bucket,
        [
          ...[membership.id, membership.lease, order, membership.keys.channels, patience, refusal],
          ...rows.flatMap(({ entry: { key, limit }, count }) => [
            ...[key, count, limit === Infinity ? 0 : limit, round]
          ])
        ],
        (reply) => {
          if (hasFailed(reply)) return isTaken(false)
          for (const [index, { entry, count }] of rows.entries()) {
            const over = reply[index] ?? -1
            if (over < 0) continue
            if (entry.order === order) entry.told = count
            this.shed(entry, over)
            this.forget(entry)
          }
          isTaken(reply.every((over) => over >= 0))
        }
      )
    }
    close()
  }

  private call<Reply>(
    script: Script<Reply>,
    bucket: number,
    args: ReadonlyArray<string | number>,
    answer: Answer<Reply>
  ): void {
    const { store, keys } = this.membership
    store.call(script, [keys.ofBucket("slots", bucket), keys.ofBucket("epoch", bucket)], args, answer)
  }

  /** More slots are leased than there are, since the store had forgotten some or the limit is lower now. */
  private shed(entry: Entry<Member>, over: number): void {
    const { isLost } = this.membership
    // A store that has forgotten does not know yet what others have. Until then all that was in use without it is too much.
    if (this.membership.now() >= this.membership.leasesFrom) entry.over = over
    else entry.over = isLost ? entry.count : Math.max(entry.over, over)
    if (entry.over === 0 || !this.entries.has(entry.key)) return
    // Also before leases hold again: a member may have slots that are free, and is told of its leases behind this.
    this.askBack(entry)
    if (!isLost) this.giveBack(entry, over)
  }
}

/** Calls `done` when all calls that `one` has returned were called, and `close`: with whether all were called with true. */
const gather = (done: (areAll: boolean) => void) => {
  let open = 1
  let areAll = true
  const end = (is: boolean) => {
    areAll &&= is
    if (--open === 0) done(areAll)
  }
  const one = () => {
    open++
    return end
  }
  return { one, close: () => end(true) }
}
