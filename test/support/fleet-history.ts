/**
 * A history of a fleet by chance: load on machines of which some join, leave, are killed, stand still and are cut off,
 * and a store that stops, forgets, and is replaced by an older copy. Then all is well again. All of it is from a seed.
 *
 * What must hold is checked all along. What a history has shown is returned.
 */
import { assert } from "@effect/vitest"
import * as CounterMap from "../../src/base/CounterMap.ts"
import { allowed, type Fault } from "../../src/fleet/Faults.ts"
import { bucketOf } from "../../src/fleet/Keys.ts"
import { SlotTable } from "../../src/fleet/scripts/SlotTable.ts"
import { chance, Fleet, type Machine, type Session } from "./fleet.ts"

export interface Plan {
  readonly seed: number
  readonly machines: number
  readonly fault: Fault
  /** Seconds in which something goes wrong. */
  readonly seconds: number
  /** The part of the store's messages that is lost. */
  readonly missed: number
  /** How much the clocks of machines may be wrong: 0.01 is 1 %. */
  readonly drift: number
}

export interface Shown {
  readonly faults: Record<string, number>
  begun: number
  refused: number
  tokens: number
  /** The most sessions in use by the limit, those of machines without a store among them. */
  most: number
  /** Milliseconds. */
  longestAnswer: number
  longestCalmAnswer: number
  /** The most that the shares of machines with a store were in total. */
  shares: number
  sharesInCalm: number
  /** The most tokens above what rate and burst allow, as milliseconds of the rate. */
  ahead: number
  scripts: number
  messages: number
}

const lease = 6000

/** The longest way to the store. */
const slow = 400

/** The part of time for which a machine's clock may be wrong. */
const rate = 20

const bandwidth = "upload of user alice"

/** Runs a history. Throws if something does not hold. */
export const run = (plan: Plan): Shown => new History(plan).run()

interface Bucket {
  level: number
  at: number
}

class History {
  private readonly plan: Plan
  private readonly random: () => number
  private readonly fleet: Fleet
  private readonly limits: Readonly<Record<string, number>>
  private readonly shown: Shown = {
    ...{ faults: {}, begun: 0, refused: 0, tokens: 0, most: 0, longestAnswer: 0, longestCalmAnswer: 0 },
    ...{ shares: 0, sharesInCalm: 0, ahead: 0, scripts: 0, messages: 0 }
  }
  private readonly stopped = new Set<Machine>()
  /** Those that use the bandwidth, by member. */
  private readonly busy = new Map<Machine, Set<number>>()
  private readonly fleetTokens: Bucket = { level: 0, at: 0 }
  private readonly aloneTokens = new Map<Machine, Bucket>()
  private ids = 0
  private isCalm = false
  /** When something has gone wrong last. */
  private wrongAt = 0
  private readonly forgotten: Array<number> = []
  private copy: ReturnType<Fleet["store"]["database"]["copy"]>

  constructor(plan: Plan) {
    this.plan = plan
    const { seed, machines, fault, missed, drift } = plan
    const random = chance(seed)
    this.random = random
    this.limits = { all: 4 * machines, "user alice": 5, "user bob": machines, "client 192.0.2.1": 20 }
    this.fleet = Fleet.of(machines, {
      fault,
      lease,
      members: machines > 100 ? 1 : 2,
      latency: () => random() * (random() < 0.01 && !this.isCalm ? slow : 5),
      pace: () => 1 + (2 * random() - 1) * drift,
      isMissed: () => random() < missed
    })
    this.copy = this.fleet.store.database.copy()
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
    this.agree()
    this.starve()
    this.useAll()
    const { scripts, messages } = fleet.store.counts
    return Object.assign(this.shown, { scripts, messages })
  }

  private pick<A>(all: Iterable<A>): A {
    const list = Array.isArray(all) ? (all as ReadonlyArray<A>) : [...all]
    return list[Math.floor(this.random() * list.length)]!
  }

  /** Lets time pass, and checks. */
  private step(milliseconds: number): void {
    this.fleet.clock.pass(milliseconds)
    this.check()
  }

  private load(): void {
    const { machines, clock } = this.fleet
    const list = [...machines]
    const keys = Object.keys(this.limits)
    const bursts = Math.ceil((this.random() * list.length) / (list.length > 100 ? 40 : 6))
    for (let burst = 0; burst < bursts; burst++) {
      const machine = this.pick(list)
      const key = this.pick(keys)
      for (let count = Math.ceil(this.random() * 5); count > 0; count--) {
        this.begin(machine, key, (session) => {
          if (session) clock.after(-Math.log(1 - this.random()) * 2000, session.end)
        })
      }
      this.token(this.pick(list))
    }
    if (this.random() < 0.3) this.demand(this.pick(list))
  }

  private begin(
    machine: Machine,
    key: string,
    done: (session: Session | undefined) => void = () => {}
  ): void {
    const { clock } = this.fleet
    const { fault } = this.plan
    const limit = this.limits[key]!
    const startedAt = clock.now
    const isStopped = this.stopped.has(machine)
    const { membership } = machine
    machine.begin(
      key,
      limit,
      (session) => {
        if (session) this.shown.begun++
        else this.shown.refused++
        if (session?.isUncounted && membership.isAlone() && fault !== "keep") {
          const most = allowed(fault, limit, membership.machines, 0)
          assert.isAtMost(machine.counts.of(key), most, `${key} on a machine without a store`)
        }
        if (!isStopped && machine.resumedAt < startedAt) {
          const waited = clock.now - startedAt
          this.shown.longestAnswer = Math.max(this.shown.longestAnswer, waited)
          if (this.isCalm) this.shown.longestCalmAnswer = Math.max(this.shown.longestCalmAnswer, waited)
        }
        done(session)
      },
      Math.floor(this.random() * machine.members.length)
    )
  }

  private token(machine: Machine): void {
    const { clock } = this.fleet
    const startedAt = clock.now
    machine.token("rate of alice", rate, (wait) => {
      if (wait > 0) return
      this.shown.tokens++
      const { membership } = machine
      if (membership.isAlone()) {
        // Without a store: a rate of its own, with its burst.
        if (this.plan.fault !== "share") return
        const own = Math.max(Math.floor(rate / membership.machines), 1)
        const bucket = this.aloneTokens.get(machine) ?? { level: 0, at: clock.now }
        this.aloneTokens.set(machine, bucket)
        const level = this.take(bucket, own)
        // Fewer machines may have been seen before.
        assert.isAtMost(level, rate + 1, "tokens without a store")
        return
      }
      // What was granted before a machine stood still, and is used behind it, is not of this time.
      if (startedAt < machine.resumedAt) return
      const above = this.take(this.fleetTokens, rate) - rate
      this.shown.ahead = Math.max(this.shown.ahead, (above / rate) * 1000)
    })
  }

  private take(bucket: Bucket, perSecond: number): number {
    const { now } = this.fleet.clock
    bucket.level = Math.max(bucket.level - ((now - bucket.at) / 1000) * perSecond, 0) + 1
    bucket.at = now
    return bucket.level
  }

  private demand(machine: Machine): void {
    const member = Math.floor(this.random() * machine.members.length)
    const using = this.busy.get(machine) ?? new Set<number>()
    this.busy.set(machine, using)
    if (!using.has(member)) {
      using.add(member)
      machine.share({ _tag: "enter", name: bandwidth, id: ++this.ids }, member)
    } else if (this.random() < 0.6) {
      machine.share({ _tag: "demand", name: bandwidth, isBusy: this.random() < 0.5 }, member)
    } else {
      using.delete(member)
      machine.share({ _tag: "leave", name: bandwidth }, member)
      machine.members[member]!.shares.delete(bandwidth)
    }
  }

  private trouble(): void {
    const { fleet, random } = this
    const { clock, store } = fleet
    const many = Math.min(this.plan.machines / 12, 20)
    const kinds: Readonly<Record<string, readonly [weight: number, act: () => void]>> = {
      killed: [0.6 * many, () => this.kill(this.pick(fleet.machines))],
      left: [
        0.4 * many,
        () => {
          const machine = this.pick(fleet.machines)
          this.busy.delete(machine)
          machine.leave()
          fleet.join()
        }
      ],
      joined: [0.1 * many, () => fleet.machines.size < 1.2 * this.plan.machines && void fleet.join()],
      stopped: [
        2 * many,
        () => {
          const machine = this.pick(fleet.machines)
          if (this.stopped.has(machine)) return
          this.stopped.add(machine)
          machine.stop()
          clock.after(random() * 12_000, () => this.resume(machine))
        }
      ],
      cut: [2 * many, () => this.cut([this.pick(fleet.machines)])],
      halved: [0.3, () => this.cut([...fleet.machines].filter(() => random() < 0.5))],
      emptied: [
        0.15,
        () => {
          store.database.flush()
          this.forgotten.push(clock.now)
        }
      ],
      "store restarted": [0.2, () => this.restart(() => {})],
      "store restarted empty": [0.15, () => this.restart(() => store.database.flush())],
      "store failed over": [0.3, () => this.restart(() => store.database.restore(this.copy))],
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
        this.wrongAt = clock.now
        this.shown.faults[kind] = (this.shown.faults[kind] ?? 0) + 1
      }
      act()
    }
  }

  private kill(machine: Machine): void {
    this.busy.delete(machine)
    this.stopped.delete(machine)
    machine.kill()
    this.fleet.join()
  }

  private resume(machine: Machine): void {
    if (!this.stopped.delete(machine)) return
    this.wrongAt = this.fleet.clock.now
    machine.resume()
  }

  private cut(machines: ReadonlyArray<Machine>): void {
    const isSilent = this.random() < 0.5
    const time = this.random() * 15_000
    for (const { connection } of machines) {
      if (isSilent) connection.freeze()
      else connection.cut()
      this.fleet.clock.after(time + this.random() * 500, () => {
        this.wrongAt = this.fleet.clock.now
        connection.mend()
      })
    }
  }

  private restart(act: () => void): void {
    const { store, clock } = this.fleet
    store.stop()
    clock.after(this.random() * 10_000, () => {
      act()
      this.forgotten.push(clock.now)
      this.wrongAt = clock.now
      store.start()
    })
  }

  private check(): void {
    const { fleet, shown } = this
    const { now } = fleet.clock
    let shares = 0
    for (const machine of fleet.machines) {
      const { membership } = machine
      if (membership.isLost || membership.now() >= membership.validUntil) fleet.uncount(machine)
      else for (const member of machine.members) shares += member.shares.get(bandwidth) ?? 0
    }
    for (const [key, limit] of Object.entries(this.limits)) {
      shown.most = Math.max(shown.most, fleet.inUse(key) / limit)
      assert.isAtMost(fleet.counted(key), limit, key)
    }
    shown.shares = Math.max(shown.shares, shares)
    if (now - this.wrongAt > 2 * lease) {
      shown.sharesInCalm = Math.max(shown.sharesInCalm, shares)
      assert.isAtMost(shares, 1.000_01, "shares")
    }
    // Until machines have said what they use, a store that has forgotten it may give it to others.
    const forgotten = this.forgotten.filter((at) => now - at < 2 * lease).length
    assert.isAtMost(shares, 2.000_01 + forgotten, "shares")
    assert.isAtMost(shown.ahead, 200 + slow + 100, "tokens ahead")
  }

  /** All is well from now on, and machines and store agree within the time of a lease and a second. */
  private heal(): void {
    const { fleet } = this
    for (const machine of [...this.stopped]) this.resume(machine)
    fleet.store.start()
    for (const { connection } of fleet.machines) connection.mend()
    // What was planned before the end is over, too.
    const until = fleet.clock.now + 17_000
    while (fleet.clock.now < until) {
      this.load()
      this.step(this.random() * 100)
    }
    for (const machine of [...this.stopped]) this.resume(machine)
    fleet.store.start()
    for (const { connection } of fleet.machines) connection.mend()
    this.wrongAt = fleet.clock.now
    this.isCalm = true
    this.step(100 + lease / 3)
    for (const { id, membership } of fleet.machines) assert.isFalse(membership.isLost, `${id} is back`)
    const calm = fleet.clock.now + lease - lease / 3 + 900
    while (fleet.clock.now < calm) {
      this.load()
      this.step(this.random() * 100)
    }
  }

  /** The store knows what machines have leased, and nothing else. */
  private agree(): void {
    const { fleet } = this
    for (const session of [...fleet.sessions]) session.end()
    // Two sweeps of a second, of the members and of the machine, and the way to the store.
    this.step(5000)
    const leased = CounterMap.make()
    for (const key of Object.keys(this.limits)) {
      let sum = 0
      for (const { slots } of fleet.machines) sum += slots.leased(key)
      for (let count = 0; count < sum; count++) leased.change(key, 1)
      assert.strictEqual(this.inStore(key), sum, `${key} in the store`)
    }
  }

  private inStore(key: string): number {
    const base = this.fleet.at(0).membership.keys.ofBucket("slots", bucketOf(key))
    const table = new SlotTable(this.fleet.store.database, base, "none", lease)
    // What is over is taken back when a machine asks.
    table.reclaim(key)
    return table.count(key)[1]
  }

  /** A machine that asks while there is a free slot gets it, wherever it was leased to. */
  private starve(): void {
    const { fleet, random } = this
    const { clock } = fleet
    const [key, limit] = ["user alice", 5] as const
    for (let round = 0; round < 8; round++) {
      const others = Array.from({ length: limit - 1 }, () => this.pick(fleet.machines))
      for (const other of others) this.begin(other, key)
      this.step(random() * 1500)
      if (fleet.inUse(key) < limit) {
        const startedAt = clock.now
        let waited: number | undefined
        const machine = this.pick(fleet.machines)
        const again = () =>
          this.begin(machine, key, (session) => {
            if (session) waited = clock.now - startedAt
            else if (waited === undefined && clock.now - startedAt < 3000) clock.after(50, again)
          })
        again()
        this.step(3100)
        assert.isDefined(waited, `a free slot for ${machine.id}`)
        assert.isAtMost(waited!, this.plan.missed === 0 ? 300 : 2600, `a free slot for ${machine.id}`)
      }
      for (const session of [...fleet.sessions]) session.end()
      this.step(random() * 300)
    }
  }

  /** All slots can be used. */
  private useAll(): void {
    const { fleet } = this
    this.step(2000)
    for (const [key, limit] of Object.entries(this.limits)) {
      for (let time = 0; time < 5 && fleet.inUse(key) < limit; time++) {
        for (const machine of fleet.machines) {
          for (let count = 0; count < 6; count++) this.begin(machine, key)
        }
        this.step(1500)
      }
      assert.strictEqual(fleet.inUse(key), limit, key)
      for (const session of [...fleet.sessions]) session.end()
    }
  }
}
