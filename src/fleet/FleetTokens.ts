/**
 * The tokens of session rates, which a machine leases from the fleet's store for the need of the next 200 milliseconds.
 *
 * A session takes a leased token at once. Tokens that were not used in that time go back. So in any time the fleet begins
 * no more sessions than the rate allows, and those for which tokens were leased before.
 */
import * as TokenBuckets from "../base/TokenBuckets.ts"
import type { TokenAnswer, TokenRequest } from "../limits/RateTokens.ts"
import { allowed, type Fault } from "./Faults.ts"
import { hasFailed } from "./FleetStore.ts"
import { bucketOf } from "./Keys.ts"
import type { Membership } from "./Membership.ts"
import { TakeTokens } from "./scripts/TakeTokens.ts"

/** Milliseconds of need for which tokens are leased, and for which they are kept. */
const ahead = 200

/** Milliseconds of a refusal where nothing is known of the bucket. */
const unknown = 100

interface Pool<Member> {
  readonly key: string
  limit: number
  tokens: number
  /** When tokens were leased last. */
  leasedAt: number
  readonly waiting: Array<readonly [Member, id: number]>
  isInFlight: boolean
  /** Tokens that were asked for since `since`, and a second before. */
  asked: number
  before: number
  since: number
  /** Tokens that were granted in the second before `since`. */
  granted: number
  grantedBefore: number
}

export class FleetTokens<Member> {
  private readonly pools = new Map<string, Pool<Member>>()
  private readonly membership: Membership
  private readonly fault: Fault
  private readonly send: (member: Member, answer: TokenAnswer) => void
  /** For the time without a store. */
  private readonly local = TokenBuckets.make()

  constructor(membership: Membership, fault: Fault, send: (member: Member, answer: TokenAnswer) => void) {
    this.membership = membership
    this.fault = fault
    this.send = send
  }

  /** Takes a request of a member. */
  receive(member: Member, { id, key, limit }: TokenRequest): void {
    const { membership } = this
    membership.check()
    const pool = this.poolOf(key)
    pool.limit = limit
    this.turn(pool)
    pool.asked++
    if (membership.isAlone()) {
      this.answer(member, id, this.waitWithout(pool))
      return
    }
    const isFresh = membership.now() - pool.leasedAt <= ahead
    if (pool.tokens > 0 && isFresh && pool.waiting.length === 0) {
      pool.tokens--
      this.grant(pool, member, id)
      const need = this.needOf(pool)
      if (need > 1 && pool.tokens < need / 2) this.lease(pool)
      return
    }
    pool.waiting.push([member, id])
    this.lease(pool)
  }

  /** Gives back tokens that were not used in their time. To be called every 200 milliseconds. */
  sweep(): void {
    const now = this.membership.now()
    for (const [key, pool] of this.pools) {
      this.turn(pool)
      if (pool.isInFlight) continue
      if (pool.tokens > 0 && now - pool.leasedAt > ahead) {
        const { tokens } = pool
        pool.tokens = 0
        if (!this.membership.isLost) this.call(pool, -tokens, () => {})
      }
      if (pool.tokens === 0 && pool.asked + pool.before === 0 && pool.waiting.length === 0) {
        this.pools.delete(key)
      }
    }
  }

  /** Forgets the requests of a member that has ended. */
  remove(member: Member): void {
    for (const { waiting } of this.pools.values()) {
      const left = waiting.filter(([one]) => one !== member)
      waiting.splice(0, waiting.length, ...left)
    }
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
      ...{ key, limit: 0, tokens: 0, leasedAt: Number.NEGATIVE_INFINITY, waiting: [], isInFlight: false },
      ...{ asked: 0, before: 0, since, granted: 0, grantedBefore: 0 }
    }
    this.pools.set(key, pool)
    return pool
  }

  /** Begins another second of the count of requests. */
  private turn(pool: Pool<Member>): void {
    const passed = this.membership.now() - pool.since
    if (passed < 1000) return
    pool.before = passed < 2000 ? pool.asked : 0
    pool.grantedBefore = passed < 2000 ? pool.granted : 0
    pool.asked = 0
    pool.granted = 0
    pool.since += Math.floor(passed / 1000) * 1000
  }

  /** Tokens for the need of the next time, by what was asked for in the last second. */
  private needOf({ asked, before, since, limit }: Pool<Member>): number {
    const part = Math.max(1 - (this.membership.now() - since) / 1000, 0)
    return Math.floor((Math.min(asked + before * part, limit) * ahead) / 1000)
  }

  /** Leases tokens for those that wait, and ahead. */
  private lease(pool: Pool<Member>): void {
    if (pool.isInFlight) return
    const isFor = pool.waiting.length
    const want = Math.max(isFor + this.needOf(pool) - pool.tokens, isFor, 1)
    this.call(pool, want, (count, wait) => {
      pool.tokens += count
      pool.leasedAt = this.membership.now()
      while (pool.tokens > 0 && pool.waiting.length > 0) {
        const [member, id] = pool.waiting.shift()!
        pool.tokens--
        this.grant(pool, member, id)
      }
      if (pool.waiting.length === 0) return
      // Those that came since may ask once more.
      if (count >= want) return this.lease(pool)
      for (const [member, id] of pool.waiting.splice(0)) this.answer(member, id, wait)
    })
  }

  private call(pool: Pool<Member>, want: number, done: (count: number, wait: number) => void): void {
    const { store, keys } = this.membership
    pool.isInFlight = true
    store.call(
      TakeTokens,
      [keys.ofBucket("epoch", bucketOf(pool.key)), keys.of("tokens", pool.key)],
      [want, pool.limit],
      (reply) => {
        pool.isInFlight = false
        if (hasFailed(reply)) done(0, unknown)
        else done(Math.max(reply[0], 0), Math.max(reply[1], 1))
        if (pool.waiting.length > 0) this.lease(pool)
      }
    )
  }

  private grant(pool: Pool<Member>, member: Member, id: number): void {
    pool.granted++
    this.answer(member, id, 0)
  }

  private answer(member: Member, id: number, wait: number): void {
    this.send(member, { _tag: "token", id, wait })
  }

  /** The wait for a token without a store. */
  private waitWithout(pool: Pool<Member>): number {
    const { key, limit, granted, grantedBefore } = pool
    const rate = allowed(this.fault, limit, this.membership.machines, Math.max(granted, grantedBefore))
    return rate < 1 ? 1000 : this.local.take(key, rate, this.membership.now())
  }
}
