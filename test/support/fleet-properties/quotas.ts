/**
 * Quotas: each byte counts once, also of machines that are killed and of batches whose answer was lost; and all machines
 * learn what all have used.
 */
import { assert } from "@effect/vitest"
import type { Machine } from "../fleet.ts"
import type { Disk } from "../fleet-sharing.ts"
import { type Property, slow, type World } from "./World.ts"

const accounts = ["user alice", "user bob", "rule work"]

/** Until an exchange has ended that began after this: of a machine that goes on. */
const exchanged = 2 * (1100 + 4 * slow)

export const make = (world: World): Property => new Quotas(world)

class Quotas implements Property {
  private readonly world: World
  /** Bytes that count, by machine: of one that is gone those that its disk or the store has. */
  private readonly counted = new Map<Machine, number>()
  private readonly added = new Map<string, number>()
  private readonly disks = new Set<Disk>()

  constructor(world: World) {
    this.world = world
  }

  load(machine: Machine): void {
    const { random, pick, shown } = this.world
    const account = pick(accounts)
    const bytes = Math.floor(random() ** 4 * 3 * 2 ** 20)
    machine.run(() => {
      machine.sharing.add(account, bytes)
      this.added.set(account, (this.added.get(account) ?? 0) + bytes)
      shown.bytes += bytes
    })
  }

  check(): void {}

  gone(machine: Machine): void {
    this.counted.set(machine, machine.sharing.saved)
    if (machine.disk.isEmpty()) return
    this.disks.add(machine.disk)
    const { fleet, random } = this.world
    // Most come back some time, with what they had on their disks.
    if (random() < 0.7) fleet.clock.after(random() * 10_000, () => this.comeBack(machine.disk))
  }

  private comeBack(disk: Disk): void {
    if (this.disks.delete(disk)) this.world.fleet.join(disk)
  }

  settle(): void {
    const { fleet, plan, stepUntil, shown } = this.world
    const exchange = () =>
      stepUntil(exchanged, () => [...fleet.machines].every(({ sharing }) => sharing.unsent() === 0))
    for (const disk of [...this.disks]) this.comeBack(disk)
    exchange()
    // So that each machine asks for all accounts.
    for (const machine of fleet.machines) for (const account of accounts) machine.sharing.add(account, 1)
    exchange()
    for (const machine of fleet.machines) {
      assert.strictEqual(machine.sharing.unsent(), 0, `${machine.id} has told all`)
      for (const account of accounts) machine.sharing.add(account, 1)
    }
    exchange()
    let counted = 0
    for (const count of this.counted.values()) counted += count
    for (const { sharing } of fleet.machines) counted += sharing.added
    let stored = 0
    const { keys } = fleet.at(0).membership
    for (const account of accounts) {
      const total = this.inStore(keys.of("usage", account))
      stored += total
      // Each knows at least what was there when it told of its last byte.
      for (const machine of fleet.machines) {
        const used = machine.sharing.used(account)
        assert.isAtLeast(used, total - fleet.machines.size, `${account} on ${machine.id}`)
        assert.isAtMost(used, total, `${account} on ${machine.id}`)
      }
    }
    if (!plan.remembers) return
    shown.miscounted = Math.max(shown.miscounted, Math.abs(stored - counted))
    assert.strictEqual(stored, counted, "bytes in the store")
  }

  private inStore(key: string): number {
    let sum = 0
    for (const [field, value] of this.world.fleet.store.database.hgetall(key)) {
      if (field.startsWith("m:")) sum += Number(value)
    }
    return sum
  }
}
