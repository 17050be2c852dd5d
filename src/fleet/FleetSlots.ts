/**
 * The slots of counted limits, which a machine leases from the fleet's store and leases on to its members.
 *
 * To the allocator of the machine, the rest of the fleet is one more member: it has leased all slots that this machine
 * has not. When it is asked for slots that it does not use, the store is asked. So what holds among the members of a seat
 * holds among machines: never more than the limit in total, and no refusal while there is room.
 */
import * as SlotAllocator from "../limits/SlotAllocator.ts"
import { allowed, type Fault } from "./Faults.ts"
import { hasFailed } from "./FleetStore.ts"
import { bucketOf } from "./Keys.ts"
import type { Leases, Membership } from "./Membership.ts"
import { AcquireSlots, Outcome } from "./scripts/AcquireSlots.ts"
import { PutSlots } from "./scripts/PutSlots.ts"

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

export class FleetSlots<Member extends object> implements Leases {
  private readonly entries = new Map<string, Entry<Member>>()
  private readonly allocator: SlotAllocator.SlotAllocator<Member | typeof rest>
  private readonly membership: Membership
  private readonly fault: Fault
  private readonly send: (member: Member, ruling: SlotAllocator.Ruling) => void
  private recalls = 0

  constructor(
    membership: Membership,
    fault: Fault,
    send: (member: Member, ruling: SlotAllocator.Ruling) => void
  ) {
    this.membership = membership
    this.fault = fault
    this.send = send
    this.allocator = SlotAllocator.make<Member | typeof rest>((member, ruling) => {
      if (member !== rest) send(member, ruling)
      // Later, as the allocator is in the middle of a call.
      else if (ruling._tag === "recall") membership.after(0, () => this.recalled(ruling.key, ruling.round))
    })
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

  renew(done: (areRenewed: boolean) => void): void {
    const all = [...this.entries.values()]
    const flying = all.filter(({ isInFlight }) => isInFlight)
    const held = all.filter(({ isInFlight, count }) => !isInFlight && count > 0)
    let open = flying.length + 1
    let areRenewed = true
    const one = (isRenewed: boolean) => {
      areRenewed &&= isRenewed
      if (--open === 0) done(areRenewed)
    }
    for (const entry of flying) entry.landed.push(() => this.put([entry], "0", one))
    this.put(held, "0", one)
  }

  lose(): void {
    for (const entry of [...this.entries.values()]) {
      if (entry.limit === Infinity) continue
      entry.count = this.allowedOf(entry)
      this.settle(entry)
      this.answer(entry)
      if (this.usedOf(entry) > entry.count) this.askBack(entry)
    }
  }

  surrender(): void {
    for (const entry of this.entries.values()) {
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
        limit: Infinity,
        count: 0,
        kept: 0,
        over: 0,
        rest: 0,
        idle: 0,
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
    if (this.membership.isAlone()) entry.count = this.allowedOf(entry)
  }

  private allowedOf({ limit, count, kept }: Entry<Member>): number {
    return allowed(this.fault, limit, this.membership.machines, Math.max(count, kept))
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
    const { key, count, kept, round, isInFlight, recall } = entry
    if (isInFlight || round !== undefined || recall !== undefined || this.usedOf(entry) > 0) return
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
    entry.isInFlight = true
    membership.store.call(
      AcquireSlots,
      [membership.keys.ofBucket("epoch", bucketOf(key)), ...this.keysOf(entry)],
      [
        ...[membership.id, key, membership.keys.channels, membership.nextOrder()],
        ...[entry.count, 1, entry.limit, partFor(membership.machines), membership.lease, patience, refusal]
      ],
      (reply) => {
        entry.isInFlight = false
        const [count, outcome] = hasFailed(reply) ? [0, Outcome.full] : reply
        // What comes too late is taken back by the next renewal.
        if (!membership.isLost) entry.count += count
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

  /** Tells the store how many slots this machine has leased. */
  private report(entry: Entry<Member>): void {
    if (entry.isInFlight) entry.landed.push(() => this.put([entry], "0", () => {}))
    else this.put([entry], "0", () => {})
  }

  /** Asks members for what they have leased and do not use, and for what they use as soon as it is free. */
  private askBack(entry: Entry<Member>): void {
    for (const [member] of this.membersOf(entry)) {
      this.send(member, { _tag: "recall", key: entry.key, round: 0, isOver: true })
    }
  }

  private keysOf({ key }: Entry<Member>): ReadonlyArray<string> {
    const { keys } = this.membership
    return ["slots", "ends", "waiting", "open"].map((kind) => keys.of(kind, key))
  }

  /** Tells the store the counts of these limits. `done` is called with whether the store has taken all of them. */
  private put(entries: ReadonlyArray<Entry<Member>>, round: string, done: (areTaken: boolean) => void): void {
    const { membership } = this
    const order = membership.nextOrder()
    const calls = batches(entries)
    let open = calls.length
    let areTaken = true
    if (open === 0) {
      done(true)
      return
    }
    for (const some of calls) {
      const head = [membership.id, membership.keys.channels, order, membership.lease, patience, refusal]
      membership.store.call(
        PutSlots,
        some.flatMap((entry) => this.keysOf(entry)),
        [...head, ...some.flatMap(({ key, count }) => [count, round, key])],
        (reply) => {
          if (hasFailed(reply)) areTaken = false
          else {
            reply.forEach((over, index) => {
              if (over < 0) areTaken = false
              else this.shed(some[index]!, over)
            })
          }
          if (--open === 0) done(areTaken)
        }
      )
    }
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

/** Limits for one call each: of one bucket, and not too many. */
const batches = <Member>(entries: ReadonlyArray<Entry<Member>>): ReadonlyArray<Array<Entry<Member>>> => {
  const full: Array<Array<Entry<Member>>> = []
  const byBucket = new Map<number, Array<Entry<Member>>>()
  for (const entry of entries) {
    const bucket = bucketOf(entry.key)
    const some = byBucket.get(bucket) ?? []
    byBucket.set(bucket, some)
    some.push(entry)
    if (some.length < batch) continue
    full.push(some)
    byBucket.delete(bucket)
  }
  return [...full, ...byBucket.values()]
}
