/**
 * A machine's membership in its fleet: its signs of life, how many machines there are, and whether its leases hold.
 *
 * A lease holds until it has not been renewed for its time, counted from when the last renewal was sent, by a clock that
 * nobody sets. The store counts from when the renewal arrived, so it gives the same slots to others only later. No clock
 * is compared with another.
 */
import * as Effect from "effect/Effect"
import type { FleetStoreFailed } from "../Errors.ts"
import { type FleetStore, hasFailed, run } from "./FleetStore.ts"
import { gather } from "./Gather.ts"
import { buckets, type Keys } from "./Keys.ts"
import type { Leases } from "./Leases.ts"
import { MachineCount } from "./MachineCount.ts"
import * as Beat from "./scripts/Beat.ts"
import { Begin } from "./scripts/Begin.ts"

export interface Options {
  readonly store: FleetStore["Service"]
  readonly keys: Keys
  /** Names this run of a server among all machines, over all time. */
  readonly id: string
  /** What the machine tells of itself. */
  readonly told: () => string
  /** Milliseconds for which a lease holds. */
  readonly lease: number
  /** Milliseconds of a clock that nobody sets. */
  readonly now: () => number
  /** Calls back after so many milliseconds. */
  readonly after: (milliseconds: number, call: () => void) => void
  /** The number of machines that were seen last, for a machine that begins without the store. */
  readonly aloneOf?: number | undefined
  /** The machine has lost the store, or works with it again. */
  readonly onChange?: (isLost: boolean) => void
}

/** The part of a lease that a machine counts on: the clock of the store may run faster than its own, by this much. */
const certain = 0.98

export class Membership {
  readonly store: FleetStore["Service"]
  readonly keys: Keys
  readonly id: string
  readonly lease: number
  readonly now: () => number
  readonly after: Options["after"]
  /** Whether leases hold no longer. */
  isLost = false
  /** From when on the store leases, after it may have forgotten: in milliseconds of `now`. */
  leasesFrom = 0
  /** Why a call has failed last, since leases were renewed. */
  failure: string | undefined
  /** The store's time last seen, in milliseconds since the epoch, and when by the clock of this machine. */
  private seen: { readonly store: number; readonly here: number } | undefined
  private readonly options: Options
  private readonly leases = new Set<Leases>()
  private readonly count: MachineCount
  /** The run of the store's server. */
  private run = ""
  private orders = 0
  /** When leases end that are not renewed before, in milliseconds of `now`. */
  validUntil: number
  private isRenewing = false
  /** The store is being told what is in use, after it was lost. */
  private isReturning = false
  private isEnded = false

  constructor(options: Options) {
    this.options = options
    const { store, keys, id, lease, now, after } = options
    this.store = { ...store, call: this.call }
    this.keys = keys
    this.id = id
    this.lease = lease
    this.now = now
    this.after = after
    this.count = new MachineCount(lease, options.aloneOf)
    if (options.aloneOf === undefined) {
      this.validUntil = this.leaseEnd()
      this.watch()
    } else {
      this.validUntil = now()
      this.isLost = true
    }
  }

  /** Calls the store, and notes why it does not answer. */
  private readonly call: FleetStore["Service"]["call"] = (script, keys, args, answer) =>
    this.options.store.call(script, keys, args, (reply) => {
      if (hasFailed(reply)) this.failure = reply.reason
      answer(reply)
    })

  /** Number of machines last seen, this one among them. */
  get machines(): number {
    return this.count.machines
  }

  /** Whether this machine may use what it may without a store. No longer when it has told the store what is in use. */
  isAlone(): boolean {
    return this.isLost && !this.isReturning
  }

  /** Until when a lease holds that is asked for now. */
  leaseEnd(): number {
    return this.now() + this.lease * certain
  }

  /** What the machine tells of itself. */
  get told(): string {
    return this.options.told()
  }

  /** Adds leases that are renewed with all others. */
  add(leases: Leases): void {
    this.leases.add(leases)
  }

  /** The number of the next order to the store: what is sent later has a higher one. */
  nextOrder(): number {
    return ++this.orders
  }

  /** The time of the store, in milliseconds since the epoch; undefined before the first answer. */
  storeTime(): number | undefined {
    return this.seen && this.seen.store + (this.now() - this.seen.here)
  }

  /** To be called with the run of the store's server on each new connection. */
  connected(run: string): void {
    this.run = run
    this.begin()
    for (const each of this.leases) each.connected?.()
    this.beat()
  }

  /** Learns since when the store remembers. */
  private begin(): void {
    const { run } = this
    for (let bucket = 0; bucket < buckets; bucket++) {
      this.store.call(Begin, [this.keys.ofBucket("epoch", bucket)], [run], (age) => {
        if (!hasFailed(age)) this.remembers(age)
      })
    }
  }

  /** The store has forgotten nothing for so many milliseconds. */
  remembers(age: number): void {
    this.leasesFrom = Math.max(this.leasesFrom, this.now() - Math.max(age, 0) + this.lease)
  }

  /** Signs and renews. To be called three times in the time of a lease. */
  beat(): void {
    this.check()
    if (this.isRenewing || this.isEnded || !this.store.isConnected()) return
    this.isRenewing = true
    const until = this.leaseEnd()
    if (this.isLost) this.surrender()
    const { one, close } = gather((areRenewed) => {
      this.isRenewing = false
      if (this.isEnded) return
      if (areRenewed) this.renewed(until)
      else if (this.isLost) this.goAlone()
    })
    this.sign(one())
    for (const each of this.leases) each.renew(one())
    close()
  }

  /** Gives a sign of life, and learns how many machines do. */
  private sign(done: (isSigned: boolean) => void): void {
    const { keys, id, lease, options } = this
    const sentAt = this.now()
    this.store.call(Beat.Beat, Beat.keys(keys), [id, options.told(), lease], (reply) => {
      if (hasFailed(reply)) return done(false)
      const [machines, store, wasKnown] = reply
      this.count.see(machines, this.now())
      // Either this machine was away for long, or the store was emptied: then it forgets in all buckets now, and not in each
      // when somebody uses that.
      if (wasKnown === 0 && this.seen !== undefined) this.begin()
      // By when it was asked: the answer may have waited for a machine that stood still.
      this.seen = { store, here: sentAt }
      done(true)
    })
  }

  /** Leaves the fleet. `done` is called when the store knows it, or does not answer. */
  end(done: () => void): void {
    this.isEnded = true
    this.store.call(Beat.Beat, Beat.keys(this.keys), [this.id, "", 0], done)
  }

  /** Completes when the store has answered the first sign of life. */
  readonly joined: Effect.Effect<void, FleetStoreFailed> = Effect.suspend(() =>
    Effect.asVoid(
      run(this.store, Beat.Beat, Beat.keys(this.keys), [this.id, this.options.told(), this.lease])
    )
  )

  /** The leases are lost if it is time. */
  check(): void {
    if (this.isLost || this.now() < this.validUntil) return
    this.isLost = true
    this.options.onChange?.(true)
    this.surrender()
    this.retry()
  }

  private renewed(until: number): void {
    this.check()
    if (until <= this.now()) {
      // The answer has come too late, as after a time in which this process stood still.
      if (this.isLost && !this.isRenewing) this.retry()
      return
    }
    const wasLost = this.isLost
    this.validUntil = Math.max(this.validUntil, until)
    this.failure = undefined
    this.isLost = false
    this.isReturning = false
    for (const each of this.leases) each.hold?.(this.validUntil)
    if (!wasLost) return
    this.options.onChange?.(false)
    this.watch()
  }

  /** Asks a store that may still be there, before this machine does without it. */
  private retry(): void {
    if (!this.store.isConnected()) this.goAlone()
    else if (!this.isRenewing) this.beat()
  }

  private surrender(): void {
    this.isReturning = true
    for (const each of this.leases) each.surrender()
  }

  private goAlone(): void {
    this.isReturning = false
    for (const each of this.leases) each.lose()
    for (const each of this.leases) each.hold?.(Number.POSITIVE_INFINITY)
  }

  /** Notices the end of the leases at its time. */
  private watch(): void {
    this.after(Math.max(this.validUntil - this.now(), 1), () => {
      if (this.isEnded) return
      this.check()
      if (!this.isLost) this.watch()
    })
  }
}
