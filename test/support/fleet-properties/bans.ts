/**
 * Bans: known to all machines shortly after, wherever they were made; none is lost that a machine knows which is there, and
 * none comes back that was lifted.
 */
import { assert } from "@effect/vitest"
import type { Machine } from "../fleet.ts"
import { type Property, slow, type World } from "./World.ts"

/** A turn of the loop, where the way to the store is short; and where it is long, of the exchanges of both machines. */
const soon = 1200
const later = 1200 + 8 * slow

interface Ban {
  readonly address: string
  readonly machine: Machine
  readonly at: number
  /** Machines that knew the ban some time after. */
  readonly known: Set<Machine>
  liftedBy: Machine | undefined
}

export const make = (world: World): Property => new Bans(world)

class Bans implements Property {
  private readonly world: World
  private readonly bans: Array<Ban> = []

  constructor(world: World) {
    this.world = world
  }

  load(machine: Machine): void {
    const { random, fleet, shown, plan, pick } = this.world
    if (random() > Math.min(0.1, 2 / plan.machines)) return
    machine.run(() => {
      shown.bans++
      const count = this.bans.length
      const address = `198.${18 + (count >> 16)}.${(count >> 8) & 255}.${count & 255}`
      const ban: Ban = { address, machine, at: fleet.clock.now, known: new Set(), liftedBy: undefined }
      this.bans.push(ban)
      machine.sharing.ban(`${address}/32`, 3_600_000)
      fleet.clock.after(this.world.isCalm && plan.missed === 0 ? soon : later, () => this.checkKnown(ban))
    })
    if (random() > 0.2 || this.bans.length === 0) return
    const ban = pick(this.bans)
    machine.run(() => {
      if (ban.liftedBy !== undefined || !machine.sharing.isBanned(ban.address)) return
      // What is said of a network at nearly the same time has no order.
      if (fleet.clock.now - ban.at < 2 * later) return
      ban.liftedBy = machine
      machine.sharing.lift(`${ban.address}/32`)
    })
  }

  /** All machines know a ban, which had the store since it was made, as had its own machine. */
  private checkKnown({ address, machine, at, known, liftedBy }: Ban): void {
    const { fleet, shown, wrongWith, wrongWithStore } = this.world
    const { now } = fleet.clock
    if (liftedBy !== undefined) return
    const hadStore = (one: Machine) =>
      fleet.machines.has(one) && wrongWith(one) < at - later && one.joinedAt < at - later
    const isSound = wrongWithStore < at - later && hadStore(machine)
    for (const one of fleet.machines) {
      if (one.sharing.isBanned(address)) known.add(one)
      else if (isSound && hadStore(one))
        assert.fail(`${address} is not banned on ${one.id} after ${now - at} ms`)
    }
    if (isSound) shown.longestUnbanned = Math.max(shown.longestUnbanned, now - at)
  }

  check(): void {}

  settle(): void {
    const { fleet, step } = this.world
    step(later)
    const machines = [...fleet.machines]
    const [first = [], ...others] = machines.map(({ sharing }) => [...sharing.bans()].sort())
    for (const [index, bans] of others.entries()) {
      assert.deepStrictEqual(bans, first, `bans on ${machines[index + 1]!.id}`)
    }
    const all = new Set(first)
    for (const { address, machine, known, liftedBy } of this.bans) {
      if (liftedBy !== undefined) {
        if (fleet.machines.has(liftedBy)) assert.isFalse(all.has(`${address}/32`), `${address} is lifted`)
      } else if (fleet.machines.has(machine) || [...known].some((one) => fleet.machines.has(one))) {
        assert.isTrue(all.has(`${address}/32`), `${address} is banned`)
      }
    }
  }
}
