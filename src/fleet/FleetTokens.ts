/**
 * The tokens of session rates, which a machine leases from the fleet's store for the need of the next 200 milliseconds.
 *
 * A session takes a leased token at once, and its member gets the next ones with it. A token that is not used within its
 * time is lost. So in any time the fleet begins no more sessions than the rate allows, and those of that time before.
 *
 * Leased tokens are over long before the leases of slots are. So a machine goes by the rule for a lost store as soon as a call
 * has failed, until one succeeds.
 */
import * as TokenBuckets from "../base/TokenBuckets.ts"
import type { TokenAnswer, TokenRequest } from "../limits/RateTokens.ts"
import { FleetLimits } from "./FleetLimits.ts"
import { hasFailed } from "./FleetStore.ts"
import { bucketOf } from "./Keys.ts"
import { TakeTokens } from "./scripts/TakeTokens.ts"

/**
 * Milliseconds of need for which tokens are leased, and for which one is kept from when it was asked for: twice as long,
 * since a machine that needs two in that time does not need one in each half of it.
 */
const aheadFor = 200
const keptFor = 400

/** The part of that need which a member gets with a token, so that it does not ask for each. */
const aheadOfMembers = 1 / 8

/** Milliseconds after which an answer is too late for those that wait: then this machine stood still. */
const patience = 1000

/** Milliseconds of a refusal where nothing is known of the bucket. */
const unknown = 100

interface Pool<Member> {
  readonly key: string
  limit: number
  /** Leased tokens, the oldest first, with the time until which they are kept. */
  leased: Array<{ count: number; readonly until: number }>
  readonly waiting: Array<readonly [Member, id: number]>
  isInFlight: boolean
  /** Until then the store has no token. */
  emptyUntil: number
  /** Tokens that were asked for since `since`, and a second before. */
  asked: number
  before: number
  since: number
  /** The same of tokens that were granted, as long as the store has answered. */
  granted: number
  grantedBefore: number
  /** When the store has answered last. */
  answeredAt: number
}

export class FleetTokens<Member> extends FleetLimits<Member, TokenAnswer> {
  /** Whether the last call has failed. */
  isFailing = false
  private readonly pools = new Map<string, Pool<Member>>()
  /** What this machine may use without a store. */
  private readonly own = TokenBuckets.make()

  /** Takes a request of a member. */
  receive(member: Member, { id, key, limit, mayHaveMore }: TokenRequest): void {
    const { membership } = this
    membership.check()
    const pool = this.poolOf(key)
    if (pool.limit !== limit) pool.emptyUntil = membership.now()
    pool.limit = limit
    this.turn(pool)
    pool.asked++
    if (this.isWithoutStore()) {
      this.answer(member, id, this.takeOwn(pool))
      // So that it is known when the store answers again.
      if (!membership.isAlone() && membership.store.isConnected()) this.lease(pool)
    } else if (pool.waiting.length === 0 && this.stockOf(pool) > 0) {
      const need = this.needOf(pool)
      pool.leased[0]!.count--
      this.grant(pool, member, id, mayHaveMore ? Math.floor(need * aheadOfMembers) : 0)
      if (need > 1 && this.stockOf(pool) < need / 2) this.lease(pool)
    } else if (membership.now() < pool.emptyUntil) {
      // Without a call, so that those who are refused again and again cost the store nothing.
      this.answer(member, id, Math.ceil(pool.emptyUntil - membership.now()))
    } else {
      pool.waiting.push([member, id])
      this.lease(pool)
    }
  }

  /** Forgets what is not used. To be called once a second. */
  sweep(): void {
    for (const [key, pool] of this.pools) {
      this.turn(pool)
      const isUsed = pool.asked + pool.before + pool.waiting.length > 0 || this.isKept(pool)
      if (!isUsed && !pool.isInFlight && this.stockOf(pool) === 0) this.pools.delete(key)
    }
  }

  /** Forgets the requests of a member that has ended. */
  remove(member: Member): void {
    for (const { waiting } of this.pools.values()) {
      const left = waiting.filter(([one]) => one !== member)
      waiting.splice(0, waiting.length, ...left)
    }
  }

  /** Whether tokens are those of the rule for a lost store. */
  isWithoutStore(): boolean {
    const { membership } = this
    return this.isFailing || membership.isAlone() || !membership.store.isConnected()
  }

  /** Number of pools in memory. */
  size(): number {
    return this.pools.size
  }

  private poolOf(key: string): Pool<Member> {
    const known = this.pools.get(key)
    if (known) return known
    const since = this.membership.now()
    const pool: Pool<Member> = {
      ...{ key, limit: 0, leased: [], waiting: [], isInFlight: false, emptyUntil: since },
      ...{ asked: 0, before: 0, since, granted: 0, grantedBefore: 0, answeredAt: since }
    }
    this.pools.set(key, pool)
    return pool
  }

  /** Begins another second of the counts. */
  private turn(pool: Pool<Member>): void {
    const passed = this.membership.now() - pool.since
    if (passed < 1000) return
    pool.before = passed < 2000 ? pool.asked : 0
    pool.asked = 0
    if (pool.answeredAt >= pool.since) {
      pool.grantedBefore = pool.granted
      pool.granted = 0
    }
    pool.since += Math.floor(passed / 1000) * 1000
  }

  /** Whether the rule for a lost store goes by what was granted of this. */
  private isKept({ granted, grantedBefore }: Pool<Member>): boolean {
    return this.fault === "keep" && this.isWithoutStore() && granted + grantedBefore > 0
  }

  /** Tokens for the need of the next time, by what was asked for in the last second. */
  private needOf({ asked, before, since, limit }: Pool<Member>): number {
    const part = Math.max(1 - (this.membership.now() - since) / 1000, 0)
    return Math.floor((Math.min(asked + before * part, limit) * aheadFor) / 1000)
  }

  /** Leased tokens that may be used now. */
  private stockOf(pool: Pool<Member>): number {
    const now = this.membership.now()
    pool.leased = pool.leased.filter(({ count, until }) => count > 0 && now < until)
    return pool.leased.reduce((sum, { count }) => sum + count, 0)
  }

  /** Leases tokens for those that wait, and ahead. */
  private lease(pool: Pool<Member>): void {
    if (pool.isInFlight) return
    const { store, keys, now } = this.membership
    const { key, limit, waiting } = pool
    const sentAt = now()
    const want = waiting.length + Math.max(this.needOf(pool) - this.stockOf(pool), 0)
    pool.isInFlight = true
    store.call(
      TakeTokens,
      [keys.ofBucket("epoch", bucketOf(key)), keys.of("tokens", key)],
      [want, limit],
      (reply) => {
        pool.isInFlight = false
        this.isFailing = hasFailed(reply)
        if (hasFailed(reply)) {
          for (const [member, id] of waiting.splice(0)) this.answer(member, id, this.takeOwn(pool))
          return
        }
        pool.answeredAt = now()
        const [count, wait] = now() - sentAt > patience ? [0, unknown] : reply
        if (count < want) pool.emptyUntil = now() + wait
        let free = Math.min(count, want)
        for (; free > 0 && waiting.length > 0; free--) this.grant(pool, ...waiting.shift()!)
        if (free > 0) pool.leased.push({ count: free, until: sentAt + keptFor })
        // Those that came since may ask once more.
        if (waiting.length > 0 && count >= want) this.lease(pool)
        else for (const [member, id] of waiting.splice(0)) this.answer(member, id, Math.max(wait, 1))
      }
    )
  }

  /**
   * Grants a token of the store, and as many ahead as the oldest lease has of those. They count as this machine's own, so that
   * losing the store brings no more at once.
   */
  private grant(pool: Pool<Member>, member: Member, id: number, ahead = 0): void {
    const [oldest] = pool.leased
    const count = Math.min(ahead, oldest?.count ?? 0)
    pool.granted += 1 + count
    this.takeOwn(pool, 1 + count)
    if (oldest === undefined || count === 0) {
      this.answer(member, id, 0)
      return
    }
    oldest.count -= count
    pool.asked += count
    const { key } = pool
    this.send(member, { _tag: "token", id, wait: 0, ahead: { key, count, until: oldest.until } })
  }

  private answer(member: Member, id: number, wait: number): void {
    this.send(member, { _tag: "token", id, wait })
  }

  /** Takes tokens of what this machine may use without a store. Returns the wait for one, 0 if it was there. */
  private takeOwn({ key, limit, granted, grantedBefore }: Pool<Member>, count = 1): number {
    // A burst at once is more than the rate.
    const rate = this.allowedOf(limit, Math.min(Math.max(granted, grantedBefore), limit))
    return rate < 1 ? 1000 : this.own.take(key, rate, this.membership.now(), count)
  }
}
