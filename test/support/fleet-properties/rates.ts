/**
 * Session rates: in any time no more than the rate, a second of it at once, and what was leased shortly before; and each
 * machine gets tokens.
 */
import { assert } from "@effect/vitest"
import type { Machine } from "../fleet.ts"
import { atMost, lease, mostAlone, type Property, slow, type World } from "./World.ts"

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
  private readonly alone = new Map<Machine, Bucket & { readonly own: number }>()

  constructor(world: World) {
    this.world = world
    this.rate = Math.max(20, Math.floor(world.plan.machines / 2))
  }

  load(machine: Machine): void {
    const { random, fleet } = this.world
    this.take(machine)
    // Some need many, of which tokens are leased ahead.
    if (random() < 0.02) this.takeMany(machine, random() * this.rate, 1500)
    // And now and then all together need more than there are.
    if (random() > 0.01) return
    for (const one of fleet.machines) this.takeMany(one, 1 + (2 * this.rate) / fleet.machines.size, 1500)
  }

  private takeMany(machine: Machine, count: number, milliseconds: number): void {
    const { random, fleet } = this.world
    for (let left = count; left > 0; left--) {
      fleet.clock.after(random() * milliseconds, () => this.take(machine))
    }
  }

  private take(machine: Machine, done: (wait: number) => void = () => {}): void {
    const { fleet, shown } = this.world
    const { rate } = this
    const startedAt = fleet.clock.now
    machine.token(key, rate, (wait, isOwn) => {
      done(wait)
      if (wait > 0) return
      shown.tokens++
      if (isOwn) return this.takeAlone(machine)
      const ahead = ((count(this.all, rate, fleet.clock.now) - rate) / rate) * 1000
      // A machine that stood still for less than a second gives what was granted before to those that wait.
      if (startedAt >= machine.resumedAt) shown.ahead = Math.max(shown.ahead, ahead)
      atMost(ahead, 1100, "tokens ahead")
    })
  }

  /** Without a store: a rate of its own with its burst, by its own clock, for so many machines as it has seen. */
  private takeAlone(machine: Machine): void {
    const own = mostAlone(this.world.plan, this.rate, machine)
    const now = machine.membership.now()
    const known = this.alone.get(machine)
    const bucket = known?.own === own ? known : { own, level: 0, at: now }
    this.alone.set(machine, bucket)
    atMost(count(bucket, own, now), own * (1 + 1e-6), "tokens without a store")
  }

  check(): void {
    // The time for which a token is kept, or the way back from the store; and what is less than a token.
    const most = (Math.max(400, slow) * (1 + this.world.plan.drift) + 1000 / this.rate) * 1.001
    atMost(this.world.shown.ahead, most, "tokens ahead")
  }

  /** Each machine that asks gets tokens, where all ask for more than there are. */
  settle(): void {
    const { fleet, shown, step } = this.world
    const { clock } = fleet
    const without = new Set(fleet.machines)
    const startedAt = clock.now
    // All ask for two and a half times as much as there is.
    const pause = (400 * without.size) / this.rate
    // By chance: one of e^20 is later.
    const until = startedAt + lease / 3 + (20_000 * without.size) / this.rate
    while (without.size > 0 && clock.now < until) {
      for (const machine of fleet.machines) {
        this.take(machine, (wait) => {
          if (wait > 0 || !without.delete(machine)) return
          shown.longestTokenless = Math.max(shown.longestTokenless, clock.now - startedAt)
        })
      }
      step(pause * (0.2 + 1.6 * this.world.random()))
    }
    assert.strictEqual(without.size, 0, "machines without a token")
  }
}

/** The level of a bucket into which one more token goes now, and out of which go so many in a second. */
const count = (bucket: Bucket, perSecond: number, now: number): number => {
  bucket.level = Math.max(bucket.level - ((now - bucket.at) / 1000) * perSecond, 0) + 1
  bucket.at = now
  return bucket.level
}
