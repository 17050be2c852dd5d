/**
 * A fleet on a clock that the test turns: machines with their members, and a store in memory between them. There is
 * nothing real in it, and all chance comes from a seed, so a history is the same each time.
 */

import * as CounterMap from "../../src/base/CounterMap.ts"
import type { Fault } from "../../src/fleet/Faults.ts"
import { FleetShares } from "../../src/fleet/FleetShares.ts"
import { FleetSlots } from "../../src/fleet/FleetSlots.ts"
import { FleetTokens } from "../../src/fleet/FleetTokens.ts"
import * as Keys from "../../src/fleet/Keys.ts"
import { Membership } from "../../src/fleet/Membership.ts"
import * as MemoryStore from "../../src/fleet/MemoryStore.ts"
import * as RateShare from "../../src/limits/RateShare.ts"
import * as RateTokens from "../../src/limits/RateTokens.ts"
import * as SlotLease from "../../src/limits/SlotLease.ts"
import { Disk, Sharing } from "./fleet-sharing.ts"

/** A clock that runs what is due, in order. Milliseconds. */
export class VirtualClock {
  now = 1_000_000
  private count = 0
  /** A heap, by time and then by the order of the calls. */
  private readonly heap: Array<{ readonly at: number; readonly id: number; readonly call: () => void }> = []

  readonly after = (milliseconds: number, call: () => void): void => {
    const entry = { at: this.now + Math.max(milliseconds, 0), id: ++this.count, call }
    const { heap } = this
    let place = heap.push(entry) - 1
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!isBefore(entry, heap[parent]!)) break
      heap[place] = heap[parent]!
      place = parent
    }
    heap[place] = entry
  }

  /** Calls every so often, from now on. */
  every(milliseconds: number, call: () => void): void {
    this.after(milliseconds, () => {
      call()
      this.every(milliseconds, call)
    })
  }

  /** Lets time pass. */
  pass(milliseconds: number): void {
    const until = this.now + milliseconds
    const { heap } = this
    let calls = 0
    while (heap.length > 0 && heap[0]!.at <= until) {
      const { at, call } = this.take()
      calls = at > this.now ? 0 : calls + 1
      if (calls > 1_000_000) throw new Error("time does not pass: calls go on without an end")
      this.now = Math.max(this.now, at)
      call()
    }
    this.now = until
  }

  private take() {
    const { heap } = this
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    let place = 0
    while (true) {
      let child = 2 * place + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[place] = heap[child]!
      place = child
    }
    heap[place] = last
    return first
  }
}

interface Due {
  readonly at: number
  readonly id: number
}

const isBefore = (one: Due, other: Due): boolean =>
  one.at < other.at || (one.at === other.at && one.id < other.id)

/** Chance from a seed (mulberry32), from 0 to 1. */
export const chance = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface Options {
  /** Milliseconds of a lease. */
  readonly lease?: number
  readonly fault?: Fault
  /** The time on the way to the store, or back. */
  readonly latency?: () => number
  /** Members of each machine. */
  readonly members?: number
  /** The store's clock, when that of the test shows this. */
  readonly storeClock?: (now: number) => number
  /** How fast the clock of the next machine runs; 1 is right. */
  readonly pace?: () => number
  /** Whether a message of the store is lost. */
  readonly isMissed?: () => boolean
  /** The time on the way from a machine to its members, of shares. */
  readonly lag?: () => number
  /** Whether bans and usage are shared, too. */
  readonly isSharing?: boolean
}

/** A session in a fleet. */
export interface Session {
  readonly machine: Machine
  readonly key: string
  /** Whether its machine has been without a store since it began, or before: then others may have its slot. */
  isUncounted: boolean
  readonly end: () => void
}

/** Machines with one store. */
export class Fleet {
  readonly clock = new VirtualClock()
  readonly store: MemoryStore.MemoryStore
  readonly machines = new Set<Machine>()
  readonly sessions = new Set<Session>()
  readonly options: Required<Options>
  private readonly counts = CounterMap.make()
  private count = 0

  constructor(options: Options = {}) {
    this.options = {
      ...{ lease: 6000, fault: "share", latency: () => 1, members: 1 },
      ...{ pace: () => 1, isMissed: () => false, storeClock: (now: number) => now },
      ...{ lag: () => 0, isSharing: false },
      ...options
    }
    const { clock } = this
    const { storeClock, latency, isMissed } = this.options
    const now = () => storeClock(clock.now)
    this.store = MemoryStore.make({ now, after: clock.after }, latency, isMissed)
  }

  /** Adds a machine. A disk is that of a machine that is gone. */
  join(disk = new Disk()): Machine {
    const machine = new Machine(this, `machine-${++this.count}`, disk)
    this.machines.add(machine)
    return machine
  }

  /** A fleet of so many machines whose store leases. */
  static of(count: number, options: Options = {}): Fleet {
    const fleet = new Fleet(options)
    for (let index = 0; index < count; index++) fleet.join()
    fleet.clock.pass(fleet.options.lease + 1000)
    return fleet
  }

  /** The machine at this place, from 0 on. */
  at(index: number): Machine {
    return [...this.machines][index]!
  }

  /** Sessions in use, without those whose machines have been without a store. */
  counted(key: string): number {
    return this.counts.of(`counted ${key}`)
  }

  inUse(key: string): number {
    return this.counts.of(key)
  }

  /** Counts a session that begins. */
  begun(session: Session): void {
    const { machine, key, isUncounted } = session
    this.sessions.add(session)
    machine.sessions.add(session)
    machine.counts.change(key, 1)
    this.counts.change(key, 1)
    if (!isUncounted) this.counts.change(`counted ${key}`, 1)
  }

  /** Counts a session that has ended; false if it was counted before. */
  ended(session: Session): boolean {
    if (!this.sessions.delete(session)) return false
    const { machine, key, isUncounted } = session
    machine.sessions.delete(session)
    machine.counts.change(key, -1)
    this.counts.change(key, -1)
    if (!isUncounted) this.counts.change(`counted ${key}`, -1)
    return true
  }

  /** Others may have the slots of this machine's sessions. */
  uncount({ sessions }: Machine): void {
    for (const session of sessions) {
      if (session.isUncounted) continue
      session.isUncounted = true
      this.counts.change(`counted ${session.key}`, -1)
    }
  }
}

interface Member {
  readonly slots: SlotLease.SlotLease
  readonly shares: RateShare.RateShare
  readonly tokens: RateTokens.RateTokens
  /** Requests of tokens without an answer. */
  readonly waiting: Map<number, (wait: number) => void>
  /** Whether its machine is without a store, as far as the member has heard. */
  isAlone: boolean
}

/** A machine: a process that stops and ends as one. */
export class Machine {
  readonly id: string
  readonly membership: Membership
  readonly connection: MemoryStore.Connection
  readonly slots: FleetSlots<Member>
  readonly tokens: FleetTokens<Member>
  readonly shares: FleetShares<Member>
  readonly members: ReadonlyArray<Member>
  readonly sessions = new Set<Session>()
  /** Sessions by limit. */
  readonly counts = CounterMap.make()
  /** Shares that members use, by limit. */
  private readonly used = new Map<string, ReadonlyArray<number>>()
  /** When the machine went on after it had stood still. */
  resumedAt = 0
  readonly joinedAt: number
  readonly disk: Disk
  private readonly bansAndUsage: Sharing | undefined
  private readonly fleet: Fleet
  private isDead = false
  /** What happened while the machine stood still, in order. */
  private stopped: Array<() => void> | undefined
  private requests = 0
  private connections = 0

  constructor(fleet: Fleet, id: string, disk: Disk) {
    this.fleet = fleet
    this.id = id
    this.disk = disk
    const { clock, store, options } = fleet
    const { lease, fault } = options
    const lag = options.lag()
    this.joinedAt = clock.now
    const pace = options.pace()
    const now = () => clock.now * pace
    const after = (milliseconds: number, call: () => void) => clock.after(milliseconds / pace, call)
    this.connection = store.connect()
    const live = this.live
    const { call, ...others } = this.connection.store
    this.membership = new Membership({
      id,
      lease,
      store: {
        ...others,
        call: (script, keys, args, answer) => call(script, keys, args, (reply) => live(() => answer(reply)))
      },
      keys: Keys.make("test"),
      told: () => id,
      now,
      after: (milliseconds, call) => after(milliseconds, () => live(call)),
      onChange: (isLost) => isLost && fleet.uncount(this)
    })
    this.slots = new FleetSlots(this.membership, fault, ({ slots }, ruling) =>
      this.membership.after(0, () => slots.receive(ruling))
    )
    this.tokens = new FleetTokens(this.membership, fault, ({ tokens, waiting }, answer) => {
      tokens.receive(answer)
      waiting.get(answer.id)?.(answer.wait)
      waiting.delete(answer.id)
    })
    this.shares = new FleetShares(this.membership, fault, ({ shares }, share) =>
      this.membership.after(lag, () => shares.receive(share))
    )
    this.membership.add({
      renew: (done) => done(true),
      lose: () => {},
      surrender: () => {},
      hold: (until) => {
        for (const member of this.members) {
          this.membership.after(0, () => {
            member.isAlone = until === Number.POSITIVE_INFINITY
            member.slots.holdUntil(until)
          })
        }
      }
    })
    this.members = Array.from({ length: options.members }, () => {
      const member: Member = {
        slots: SlotLease.make(
          (claim) => this.membership.after(0, () => this.slots.receive(member, claim)),
          now
        ),
        shares: RateShare.make((need) => this.membership.after(lag, () => this.shares.receive(member, need))),
        tokens: RateTokens.make(() => {}, now),
        waiting: new Map(),
        isAlone: false
      }
      return member
    })
    this.connection.listen(this.membership.keys.channel(id), (text) =>
      live(() => void (this.slots.notice(text) || this.shares.notice(text)))
    )
    if (options.isSharing) {
      const { listen } = this.connection
      const { membership } = this
      this.bansAndUsage = new Sharing({
        ...{ membership, listen, live, disk, after: membership.after },
        now: () => clock.now * pace
      })
    }
    this.connection.whenConnected((run) => {
      const connection = ++this.connections
      // One that was lost while the machine stood still carries nothing to the store that is there now.
      live(() => connection === this.connections && this.membership.connected(run))
    })
    clock.every(lease / 3 / pace, () => live(() => this.membership.beat()))
    clock.every(1000 / pace, () =>
      live(() => {
        for (const { slots } of this.members) slots.sweep()
        this.slots.sweep()
        this.tokens.sweep()
        this.shares.sweep()
      })
    )
  }

  /** A server that is stopped admits nothing. */
  private isLeaving = false

  /** Begins a session at a member. `done` gets the session, or undefined if it is refused. */
  begin(key: string, limit: number, done: (session: Session | undefined) => void = () => {}, at = 0): void {
    const member = this.members[at]!
    const { slots } = member
    const start = () => {
      slots.change(key, 1)
      const session: Session = {
        ...{ machine: this, key, isUncounted: this.membership.isLost || member.isAlone },
        end: () => {
          if (!this.fleet.ended(session)) return
          this.live(() => slots.change(key, -1))
        }
      }
      this.fleet.begun(session)
      done(session)
    }
    // As an admission asks again, until it is refused or there is room.
    const attempt = () => {
      if (this.isLeaving) return done(undefined)
      if (slots.hasRoom(key, limit)) return start()
      slots.ask(key, limit, (slot) => {
        if (slot === undefined) return done(undefined)
        slot.release()
        attempt()
      })
    }
    this.live(attempt)
  }

  /**
   * Takes a token of a rate. `done` gets the wait, 0 for a token, and whether the machine has decided that by its rule for a
   * lost store.
   */
  token(key: string, limit: number, done: (wait: number, isOwn: boolean) => void, at = 0): void {
    const member = this.members[at]!
    const { tokens } = this
    this.live(() => {
      if (member.tokens.take(key) === 0) return done(0, false)
      const id = ++this.requests
      let isAtOnce = true
      // What comes later is from the store, unless that has not answered.
      member.waiting.set(id, (wait) => done(wait, isAtOnce ? tokens.isWithoutStore() : tokens.isFailing))
      tokens.receive(member, { _tag: "token", id, key, limit, mayHaveMore: true })
      isAtOnce = false
    })
  }

  /** A member begins to use a limited bandwidth. */
  enter(name: string, at = 0): void {
    this.live(() => this.members[at]!.shares.enter(name, (share) => this.use(name, at, share)))
  }

  /** A member needs all of its share, or less. */
  demand(name: string, isBusy: boolean, at = 0): void {
    this.live(() => this.members[at]!.shares.demand(name, isBusy))
  }

  /** A member uses a limited bandwidth no longer. */
  leaveShare(name: string, at = 0): void {
    this.live(() => {
      this.use(name, at, 0)
      this.members[at]!.shares.leave(name)
    })
  }

  private use(name: string, at: number, share: number): void {
    const shares = this.used.get(name) ?? this.members.map(() => 0)
    this.used.set(name, shares.with(at, share))
  }

  /** The share that a member uses of a limited bandwidth, from 0 to 1. */
  shareOf(name: string, at = 0): number {
    return this.used.get(name)?.[at] ?? 0
  }

  /** Bans and usage, where they are shared. */
  get sharing(): Sharing {
    if (this.bansAndUsage === undefined) throw new Error("this fleet shares no bans and no usage")
    return this.bansAndUsage
  }

  /** Does something, or does it when the machine goes on. Not if it is gone. */
  run(act: () => void): void {
    this.live(act)
  }

  /** The machine is gone, with its sessions. */
  kill(): void {
    this.isDead = true
    this.connection.cut()
    this.fleet.machines.delete(this)
    for (const session of [...this.sessions]) this.fleet.ended(session)
  }

  /** Ends as a server that is stopped does. */
  leave(): void {
    this.isLeaving = true
    for (const session of [...this.sessions]) session.end()
    this.live(() => {
      this.slots.end()
      this.shares.end()
      this.bansAndUsage?.end()
      this.membership.end(() => {})
    })
    this.fleet.machines.delete(this)
    this.fleet.clock.after(500, () => this.kill())
  }

  /** The machine stands still, as by SIGSTOP: its sessions stay, and nothing happens on it. */
  stop(): void {
    this.stopped ??= []
  }

  /** Goes on, and does what it has missed. Others may have had its slots since its leases ended. */
  resume(): void {
    const missed = this.stopped ?? []
    this.stopped = undefined
    this.resumedAt = this.fleet.clock.now
    for (const call of missed) this.live(call)
  }

  private readonly live = (call: () => void): void => {
    if (this.isDead) return
    if (this.stopped) this.stopped.push(call)
    else call()
  }
}
