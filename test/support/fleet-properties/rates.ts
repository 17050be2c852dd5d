/**
 * Session rates: in any time no more than the rate, a second of it at once, and what was leased shortly before; and each
 * machine gets tokens.
 */
import { assert } from "@effect/vitest"
import type { Machine } from "../fleet.ts"
import { lease, type Property, slow, type World } from "./World.ts"

const key = "rate of alice"

interface Bucket {
  level: number
  at: number
}

export const make = (world: World): Property => new Rates(world)

class Rates implements Property {
  private readonly world: World
  /** Tokens a second. */
  private readonly rate: number
  private readonly all: Bucket = { level: 0, at: 0 }
  /** Of machines without a store. */
  private readonly alone = new Map<Machine, Bucket>()

  constructor(world: World) {
    this.world = world
    this.rate = Math.max(20, Math.floor(world.plan.machines / 2))
  }

  load(machine: Machine): void {
    const { random, fleet } = this.world
    this.take(machine)
    // Some need many, of which tokens are leased ahead.
    if (random() > 0.02) return
    for (let count = random() * this.rate; count > 0; count--) {
      fleet.clock.after(random() * 1500, () => this.take(machine))
    }
  }

  private take(machine: Machine, done: (wait: number) => void = () => {}): void {
    const { fleet, shown, plan } = this.world
    const { rate } = this
    const startedAt = fleet.clock.now
    machine.token(key, rate, (wait) => {
      done(wait)
      if (wait > 0) return
      shown.tokens++
      const { membership } = machine
      if (membership.isAlone()) {
        // Without a store: a rate of its own, with its burst.
        if (plan.fault !== "share") return
        const own = Math.max(Math.floor(rate / membership.machines), 1)
        const bucket = this.alone.get(machine) ?? { level: 0, at: 0 }
        this.alone.set(machine, bucket)
        // Fewer machines may have been seen before.
        assert.isAtMost(this.count(bucket, own), rate + 1, "tokens without a store")
        return
      }
      const ahead = ((this.count(this.all, rate) - rate) / rate) * 1000
      // A machine that stood still for less than a second gives what was granted before to those that wait.
      if (startedAt >= machine.resumedAt) shown.ahead = Math.max(shown.ahead, ahead)
      assert.isAtMost(ahead, 1100, "tokens ahead")
    })
  }

  private count(bucket: Bucket, perSecond: number): number {
    const { now } = this.world.fleet.clock
    bucket.level = Math.max(bucket.level - ((now - bucket.at) / 1000) * perSecond, 0) + 1
    bucket.at = now
    return bucket.level
  }

  check(): void {
    // The time for which a token is kept, or the way back from the store; and what is less than a token.
    const most = (Math.max(400, slow) * (1 + this.world.plan.drift) + 1000 / this.rate) * 1.001
    assert.isAtMost(this.world.shown.ahead, most, "tokens ahead")
  }

  /** Each machine that asks gets tokens, where all ask for more than there are. */
  settle(): void {
    const { fleet, shown, step } = this.world
    const { clock } = fleet
    const without = new Set(fleet.machines)
    const startedAt = clock.now
    // By chance: one of e^20 is later.
    const until = startedAt + lease / 3 + (20_000 * without.size) / this.rate
    while (without.size > 0 && clock.now < until) {
      for (const machine of fleet.machines) {
        this.take(machine, (wait) => {
          if (wait > 0 || !without.delete(machine)) return
          shown.longestTokenless = Math.max(shown.longestTokenless, clock.now - startedAt)
        })
      }
      step(50 + this.world.random() * 400)
    }
    assert.strictEqual(without.size, 0, "machines without a token")
  }
}
