/**
 * A history of a fleet by chance: load on machines of which some join, leave, are killed, stand still and are cut off,
 * and a store that stops, forgets, and is replaced by an older copy. Then all is well again. All of it is from a seed.
 *
 * What must hold is checked all along, and what must hold again is checked at the end: `fleet-properties` has it, for each
 * kind of limit. What a history has shown is returned.
 */
import { assert } from "@effect/vitest"
import { chance, Fleet, type Machine } from "./fleet.ts"
import * as Bandwidth from "./fleet-properties/bandwidth.ts"
import * as Bans from "./fleet-properties/bans.ts"
import * as Quotas from "./fleet-properties/quotas.ts"
import * as Rates from "./fleet-properties/rates.ts"
import * as Sessions from "./fleet-properties/sessions.ts"
import {
  hasStore,
  lease,
  mostLag,
  type Plan,
  type Property,
  type Shown,
  slow,
  type World
} from "./fleet-properties/World.ts"

export type { Plan, Shown }

/** Runs a history. Throws if something does not hold. */
export const run = (plan: Plan): Shown => new History(plan).run()

class History implements World {
  readonly plan: Plan
  readonly random: () => number
  readonly fleet: Fleet
  readonly shown: Shown = {
    ...{ faults: {}, begun: 0, refused: 0, tokens: 0, bans: 0, bytes: 0 },
    ...{ most: 0, longestAnswer: 0, longestCalmAnswer: 0, heldShares: 0, shares: 0, leastShares: 1 },
    ...{ longestShareless: 0, longestTokenless: 0, ahead: 0, longestUnbanned: 0, miscounted: 0 },
    ...{ scripts: 0, messages: 0 }
  }
  isCalm = false
  wrongAt = 0
  wrongWithStore = 0
  readonly forgotten: Array<number> = []
  private readonly properties: ReadonlyArray<Property>
  private readonly stopped = new Set<Machine>()
  private readonly severed = new Set<Machine>()
  private readonly wrong = new Map<Machine, number>()
  private copy: ReturnType<Fleet["store"]["database"]["copy"]>

  constructor(plan: Plan) {
    this.plan = plan
    const { seed, machines, fault, missed, drift } = plan
    const random = chance(seed)
    this.random = random
    this.fleet = Fleet.of(machines, {
      ...{ fault, lease, isSharing: true },
      lag: () => (random() < 0.3 ? mostLag : 2),
      members: machines > 100 ? 1 : 2,
      latency: () => random() * (random() < 0.01 && !this.isCalm ? slow : 5),
      pace: () => 1 + (2 * random() - 1) * drift,
      isMissed: () => random() < missed
    })
    this.copy = this.fleet.store.database.copy()
    this.properties = [Sessions, Rates, Bandwidth, Quotas, Bans].map(({ make }) => make(this))
  }

  run(): Shown {
    const { fleet, plan } = this
    const until = fleet.clock.now + 1000 * plan.seconds
    while (fleet.clock.now < until) {
      this.load()
      this.trouble()
      this.step(this.random() * 100)
    }
    this.heal()
    for (const property of this.properties) property.settle()
    const { scripts, messages } = fleet.store.counts
    return Object.assign(this.shown, { scripts, messages })
  }

  readonly pick = <A>(all: Iterable<A>): A => {
    const list = Array.isArray(all) ? (all as ReadonlyArray<A>) : [...all]
    return list[Math.floor(this.random() * list.length)]!
  }

  readonly isStopped = (machine: Machine): boolean => this.stopped.has(machine)

  readonly wrongWith = (machine: Machine): number => this.wrong.get(machine) ?? 0

  readonly uncount = (): void => {
    const { fleet } = this
    for (const machine of fleet.machines) if (!hasStore(machine)) fleet.uncount(machine)
  }

  readonly step = (milliseconds: number): void => {
    this.fleet.clock.pass(milliseconds)
    this.uncount()
    for (const property of this.properties) property.check()
  }

  readonly stepUntil = (milliseconds: number, holds: () => boolean): void => {
    const { clock } = this.fleet
    for (const until = clock.now + milliseconds; clock.now < until && !holds(); ) {
      this.step(Math.min(100, until - clock.now))
    }
  }

  private load(): void {
    const list = [...this.fleet.machines]
    const bursts = Math.ceil((this.random() * list.length) / (list.length > 100 ? 40 : 6))
    for (let burst = 0; burst < bursts; burst++) {
      for (const property of this.properties) property.load(this.pick(list))
    }
  }

  /** Something goes wrong now, or is well again: with a machine, or with the store. */
  private goesWrong(machine?: Machine): void {
    const { now } = this.fleet.clock
    this.wrongAt = now
    if (machine === undefined) return
    const lasts = this.stopped.has(machine) || this.severed.has(machine)
    this.wrong.set(machine, lasts ? Number.POSITIVE_INFINITY : now)
  }

  private trouble(): void {
    const { fleet, random, plan } = this
    const { store } = fleet
    const many = Math.min(plan.machines / 12, 20)
    const remembers = plan.remembers ? 0 : 1
    const kinds: Readonly<Record<string, readonly [weight: number, act: () => void]>> = {
      killed: [0.6 * many, () => this.kill(this.pick(fleet.machines))],
      left: [0.4 * many, () => this.leave(this.pick(fleet.machines))],
      joined: [0.1 * many, () => fleet.machines.size < 1.2 * plan.machines && void fleet.join()],
      stopped: [2 * many, () => this.stop(this.pick(fleet.machines))],
      cut: [2 * many, () => this.cut([this.pick(fleet.machines)])],
      halved: [0.3, () => this.cut([...fleet.machines].filter(() => random() < 0.5))],
      emptied: [0.15 * remembers, () => this.forget(() => store.database.flush())],
      "store restarted": [0.2, () => this.restart(() => {})],
      "store restarted empty": [0.15 * remembers, () => this.restart(() => store.database.flush())],
      "store failed over": [0.3 * remembers, () => this.restart(() => store.database.restore(this.copy))],
      copied: [
        3,
        () => {
          this.copy = store.database.copy()
        }
      ]
    }
    for (const [kind, [weight, act]] of Object.entries(kinds)) {
      if (random() >= weight * 0.01) continue
      if (kind !== "copied" && kind !== "joined") {
        this.goesWrong()
        this.shown.faults[kind] = (this.shown.faults[kind] ?? 0) + 1
      }
      act()
    }
  }

  private kill(machine: Machine): void {
    this.stopped.delete(machine)
    this.wrong.delete(machine)
    for (const property of this.properties) property.gone?.(machine)
    machine.kill()
    this.fleet.join()
  }

  private leave(machine: Machine): void {
    const { fleet } = this
    this.severed.add(machine)
    this.goesWrong(machine)
    machine.leave()
    fleet.join()
    // What it tells last, it tells before that.
    fleet.clock.after(499, () => {
      for (const property of this.properties) property.gone?.(machine)
    })
  }

  private stop(machine: Machine): void {
    if (this.stopped.has(machine)) return
    this.stopped.add(machine)
    this.goesWrong(machine)
    machine.stop()
    this.fleet.clock.after(this.random() * 12_000, () => this.resume(machine))
  }

  private resume(machine: Machine): void {
    if (!this.stopped.delete(machine)) return
    this.goesWrong(machine)
    machine.resume()
  }

  private cut(machines: ReadonlyArray<Machine>): void {
    const isSilent = this.random() < 0.5
    const time = this.random() * 15_000
    for (const machine of machines) {
      this.severed.add(machine)
      this.goesWrong(machine)
      if (isSilent) machine.connection.freeze()
      else machine.connection.cut()
      this.fleet.clock.after(time + this.random() * 500, () => this.mend(machine))
    }
  }

  private mend(machine: Machine): void {
    this.severed.delete(machine)
    this.goesWrong(machine)
    machine.connection.mend()
  }

  private forget(act: () => void): void {
    act()
    this.forgotten.push(this.fleet.clock.now)
    this.wrongWithStore = Math.max(this.wrongWithStore, this.fleet.clock.now)
  }

  private restart(act: () => void): void {
    const { store, clock } = this.fleet
    store.stop()
    this.wrongWithStore = Number.POSITIVE_INFINITY
    clock.after(this.random() * 10_000, () => {
      act()
      this.goesWrong()
      this.started()
    })
  }

  private started(): void {
    const { store, clock, machines } = this.fleet
    this.forgotten.push(clock.now)
    this.wrongWithStore = clock.now
    store.start()
    // All connections are new.
    this.severed.clear()
    for (const machine of machines) this.goesWrong(machine)
  }

  /** All is well from now on, and machines and store agree within the time of a lease and a second. */
  private heal(): void {
    const { fleet } = this
    this.mendAll()
    // What was planned before the end is over, too.
    const until = fleet.clock.now + 17_000
    while (fleet.clock.now < until) {
      this.load()
      this.step(this.random() * 100)
    }
    this.mendAll()
    this.isCalm = true
    this.step(100 + lease / 3)
    for (const { id, membership } of fleet.machines) assert.isFalse(membership.isLost, `${id} is back`)
    const calm = fleet.clock.now + lease - lease / 3 + 900
    while (fleet.clock.now < calm) {
      this.load()
      this.step(this.random() * 100)
    }
  }

  private mendAll(): void {
    for (const machine of [...this.stopped]) this.resume(machine)
    this.started()
    for (const { connection } of this.fleet.machines) connection.mend()
    this.wrongAt = this.fleet.clock.now
  }
}
