/**
 * Bandwidth: the shares of machines that have the store all along never add up to more than the limit, nor those of all
 * machines when the last fault is a few seconds ago; each machine has a share; and nearly all is with those that need it.
 */
import { assert } from "@effect/vitest"
import type { Machine } from "../fleet.ts"
import { atMost, hasStore, lease, mostAlone, mostLag, type Property, slow, type World } from "./World.ts"

const name = "upload of user alice"

/** The rounding of a few fractions. */
const whole = 1.000_01

/** Until each machine has renewed, and all have heard of it. */
const renewed = lease / 3 + 2 * slow + 1000

/** The longest time without a share: until what a machine has that is gone is free, and one renewal more. */
const patience = lease + lease / 3 + 4 * slow

interface Use {
  readonly since: number
  isBusy: boolean
}

export const make = (world: World): Property => new Bandwidth(world)

class Bandwidth implements Property {
  private readonly world: World
  /** What members do, by machine. */
  private readonly uses = new Map<Machine, Map<number, Use>>()
  /** Machines with a share from a time without a store: others may have it, too. */
  private readonly returned = new Set<Machine>()
  /** Machines without a store, and how many there are as they know. */
  private readonly alone = new Map<Machine, { readonly machines: number; readonly at: number }>()

  constructor(world: World) {
    this.world = world
  }

  load(machine: Machine): void {
    const { random, fleet } = this.world
    if (random() > 0.3) return
    const member = Math.floor(random() * machine.members.length)
    const uses = this.usesOf(machine)
    const use = uses.get(member)
    if (use === undefined) {
      uses.set(member, { since: fleet.clock.now, isBusy: true })
      machine.enter(name, member)
    } else if (random() < 0.6) {
      use.isBusy = random() < 0.5
      machine.demand(name, use.isBusy, member)
    } else {
      uses.delete(member)
      machine.leaveShare(name, member)
    }
  }

  private usesOf(machine: Machine): Map<number, Use> {
    const uses = this.uses.get(machine) ?? new Map<number, Use>()
    this.uses.set(machine, uses)
    return uses
  }

  gone(machine: Machine): void {
    this.uses.delete(machine)
    this.returned.delete(machine)
  }

  private shareOf(machine: Machine): number {
    let sum = 0
    for (let member = 0; member < machine.members.length; member++) sum += machine.shareOf(name, member)
    return sum
  }

  check(): void {
    const { fleet, shown, wrongAt, isStopped } = this.world
    const { now } = fleet.clock
    let held = 0
    let all = 0
    for (const machine of fleet.machines) {
      const share = this.shareOf(machine)
      const { membership } = machine
      if (!hasStore(machine)) {
        this.returned.add(machine)
        // One that comes back may have a share of the store, until it is without one again.
        if (!membership.isAlone()) this.alone.delete(machine)
        else if (!isStopped(machine)) this.checkAlone(machine, share)
        continue
      }
      this.alone.delete(machine)
      if (share === 0 && machine.shares.share(name) === 0) this.returned.delete(machine)
      if (!this.returned.has(machine)) held += share
      all += share
      this.checkHas(machine, share)
    }
    shown.heldShares = Math.max(shown.heldShares, held)
    shown.shares = Math.max(shown.shares, all)
    atMost(held, whole, "shares of machines that have the store")
    if (now - wrongAt > renewed) {
      atMost(all, whole, "shares")
      for (const machine of this.returned) if (hasStore(machine)) this.returned.delete(machine)
    }
  }

  /** A machine without a store has its part, as soon as its members have been told how many machines there are. */
  private checkAlone(machine: Machine, share: number): void {
    const { fleet, plan } = this.world
    const { machines } = machine.membership
    const { now } = fleet.clock
    const told = this.alone.get(machine)
    if (told?.machines !== machines) this.alone.set(machine, { machines, at: now })
    if (plan.fault === "keep" || told?.machines !== machines) return
    if (now - Math.max(told.at, machine.resumedAt) < 10 + 2 * mostLag) return
    const most = mostAlone(plan, 1_000_000, machine) / 1_000_000
    atMost(share, most + 1e-6, `the share of ${machine.id} without a store`)
  }

  /** A machine that has the store for long has a share of what it uses. */
  private checkHas(machine: Machine, share: number): void {
    if (share > 0) return
    const { fleet, shown, wrongWith, wrongWithStore, isCalm } = this.world
    for (const { since } of this.uses.get(machine)?.values() ?? []) {
      const from = Math.max(since, machine.joinedAt, wrongWith(machine), wrongWithStore + lease)
      const waits = fleet.clock.now - from
      if (waits > patience) assert.fail(`${machine.id} is without a share after ${waits} ms`)
      if (isCalm) shown.longestShareless = Math.max(shown.longestShareless, waits)
    }
  }

  /** Nearly all is with the members that need it, when demand has not changed for a while. */
  settle(): void {
    const { fleet, shown, stepUntil, pick } = this.world
    for (let round = 0; round < 2; round++) {
      const [one, other] = [pick(fleet.machines), pick(fleet.machines)]
      for (const machine of [one, other]) {
        const uses = this.usesOf(machine)
        if (!uses.has(0)) machine.enter(name)
        else machine.demand(name, true)
        uses.set(0, { since: fleet.clock.now, isBusy: true })
      }
      // A twentieth is with machines without need, and a twentieth of each machine's with members without.
      const least = 0.95 * 0.95 - 0.005
      stepUntil(2 * renewed, () => this.inNeed() >= least)
      shown.leastShares = Math.min(shown.leastShares, this.inNeed())
      assert.isAtLeast(this.inNeed(), least, "shares of members in need")
      for (const machine of this.uses.keys()) this.release(machine)
    }
  }

  /** The shares of members that need all of theirs. */
  private inNeed(): number {
    let sum = 0
    for (const [machine, uses] of this.uses) {
      for (const [member, { isBusy }] of uses) if (isBusy) sum += machine.shareOf(name, member)
    }
    return sum
  }

  private release(machine: Machine): void {
    const uses = this.usesOf(machine)
    for (const [member, use] of uses) {
      if (this.world.random() < 0.5) continue
      use.isBusy = false
      machine.demand(name, false, member)
    }
  }
}
