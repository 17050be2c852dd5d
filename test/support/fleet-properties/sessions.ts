/**
 * Sessions: never more than the limit, but for those of machines without a store; no refusal while there is a free slot;
 * and all slots can be used again.
 */
import { assert } from "@effect/vitest"
import { bucketOf } from "../../../src/fleet/Keys.ts"
import { SlotTable } from "../../../src/fleet/scripts/SlotTable.ts"
import type { Machine, Session } from "../fleet.ts"
import { atMost, hasStore, lease, mostAlone, type Property, type World } from "./World.ts"

/** Milliseconds until there is a slot or a refusal, where no message of the store is lost: as long as it waits for a machine. */
const longestAnswer = 300

export const make = (world: World): Property => new Sessions(world)

class Sessions implements Property {
  private readonly world: World
  private readonly limits: Readonly<Record<string, number>>

  constructor(world: World) {
    this.world = world
    const { machines } = world.plan
    this.limits = { all: 4 * machines, "user alice": 5, "user bob": machines, "client 192.0.2.1": 20 }
  }

  load(machine: Machine): void {
    const { random, pick, fleet } = this.world
    const key = pick(Object.keys(this.limits))
    for (let count = Math.ceil(random() * 5); count > 0; count--) {
      this.begin(machine, key, (session) => {
        if (session) fleet.clock.after(-Math.log(1 - random()) * 2000, session.end)
      })
    }
  }

  private begin(
    machine: Machine,
    key: string,
    done: (session: Session | undefined) => void = () => {}
  ): void {
    const { fleet, shown, random, isStopped } = this.world
    const { clock } = fleet
    const limit = this.limits[key]!
    const startedAt = clock.now
    const wasStopped = isStopped(machine)
    machine.begin(
      key,
      limit,
      (session) => {
        if (session) this.checkBegun(session)
        else shown.refused++
        if (!wasStopped && machine.resumedAt < startedAt) this.checkWait(key, startedAt)
        done(session)
      },
      Math.floor(random() * machine.members.length)
    )
  }

  /** When all is well, an answer comes soon, also where all slots are in use. */
  private checkWait(key: string, startedAt: number): void {
    const { shown, fleet, plan, isCalm, wrongAt } = this.world
    const waited = fleet.clock.now - startedAt
    shown.longestAnswer = Math.max(shown.longestAnswer, waited)
    // A call that was under way when a connection ended, which may have been the last thing to go wrong, has no answer.
    if (!isCalm || startedAt <= wrongAt) return
    shown.longestCalmAnswer = Math.max(shown.longestCalmAnswer, waited)
    if (plan.missed === 0) atMost(waited, longestAnswer, `the answer about ${key}`)
  }

  /** The limit holds at each moment, and on each machine while its leases hold, or by what it may without a store. */
  private checkBegun({ machine, key, isUncounted }: Session): void {
    const { fleet, shown, plan, uncount } = this.world
    const { membership, counts } = machine
    const limit = this.limits[key]!
    shown.begun++
    if (isUncounted && membership.isAlone()) {
      const most = mostAlone(plan, limit, machine)
      atMost(counts.of(key), most, `${key} on a machine without a store`)
    }
    if (!isUncounted && !hasStore(machine)) assert.fail(`${key} on a machine whose leases have ended`)
    if (fleet.counted(key) <= limit) return
    uncount()
    atMost(fleet.counted(key), limit, key)
  }

  check(): void {
    const { fleet, shown } = this.world
    for (const [key, limit] of Object.entries(this.limits)) {
      shown.most = Math.max(shown.most, fleet.inUse(key) / limit)
      atMost(fleet.counted(key), limit, key)
    }
  }

  settle(): void {
    this.agree()
    this.starve()
    this.useAll()
  }

  /** The store knows what machines have leased, and nothing else. */
  private agree(): void {
    const { fleet, step, stepUntil } = this.world
    for (const session of [...fleet.sessions]) session.end()
    // Two sweeps of a second, of the members and of the machine, and the way to the store.
    step(5000)
    const leased = (key: string) => [...fleet.machines].reduce((sum, { slots }) => sum + slots.leased(key), 0)
    for (const key of Object.keys(this.limits)) {
      // What a sweep has just given back may be on its way.
      stepUntil(500, () => this.inStore(key) === leased(key))
      assert.strictEqual(this.inStore(key), leased(key), `${key} in the store`)
    }
  }

  private inStore(key: string): number {
    const { fleet } = this.world
    const base = fleet.at(0).membership.keys.ofBucket("slots", bucketOf(key))
    const table = new SlotTable(fleet.store.database, base, "none", lease)
    // What is over is taken back when a machine asks.
    table.reclaim(key)
    return table.count(key)[1]
  }

  /** A machine that asks while there is a free slot gets it, wherever it was leased to. */
  private starve(): void {
    const { fleet, random, pick, plan, step, stepUntil } = this.world
    const { clock } = fleet
    const [key, limit] = ["user alice", 5] as const
    for (let round = 0; round < 8; round++) {
      const others = Array.from({ length: limit - 1 }, () => pick(fleet.machines))
      let answers = 0
      for (const other of others) this.begin(other, key, () => answers++)
      step(random() * 1500)
      // One that waits still, as a message was lost, may take the slot that is free now.
      stepUntil(3000, () => answers === others.length)
      if (fleet.inUse(key) < limit) {
        const startedAt = clock.now
        let waited: number | undefined
        const machine = pick(fleet.machines)
        const again = () =>
          this.begin(machine, key, (session) => {
            if (session) waited = clock.now - startedAt
            else if (waited === undefined && clock.now - startedAt < 3000) clock.after(50, again)
          })
        again()
        stepUntil(3100, () => waited !== undefined)
        assert.isDefined(waited, `a free slot for ${machine.id}`)
        atMost(waited!, plan.missed === 0 ? 300 : 2600, `a free slot for ${machine.id}`)
      }
      for (const session of [...fleet.sessions]) session.end()
      step(random() * 300)
    }
  }

  /** All slots can be used. */
  private useAll(): void {
    const { fleet, step } = this.world
    step(2000)
    for (const [key, limit] of Object.entries(this.limits)) {
      for (let time = 0; time < 5 && fleet.inUse(key) < limit; time++) {
        for (const machine of fleet.machines) {
          for (let count = 0; count < 6; count++) this.begin(machine, key)
        }
        step(1500)
      }
      assert.strictEqual(fleet.inUse(key), limit, key)
      for (const session of [...fleet.sessions]) session.end()
    }
  }
}
