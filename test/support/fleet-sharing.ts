/**
 * What a machine of a simulated fleet shares beside its leases: bans, and the usage that quotas count. Their effects run on
 * the clock that the test turns.
 */
import * as Effect from "effect/Effect"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import type { Scheduler } from "effect/Scheduler"
import * as BanDecisions from "../../src/bans/BanDecisions.ts"
import { networkOf } from "../../src/bans/BanUpdate.ts"
import * as Hmac from "../../src/base/Hmac.ts"
import type { Words } from "../../src/fleet/BanWords.ts"
import * as FleetBans from "../../src/fleet/FleetBans.ts"
import * as FleetUsage from "../../src/fleet/FleetUsage.ts"
import type { Membership } from "../../src/fleet/Membership.ts"
import type * as UsageJournal from "../../src/fleet/UsageJournal.ts"
import * as Usage from "../../src/limits/Usage.ts"
import { received } from "./usage.ts"

/** The state directory of a machine, which outlives it. */
export class Disk {
  unsent: UsageJournal.Unsent = { batch: undefined, rows: [] }
  words: Words = []

  isEmpty(): boolean {
    return this.unsent.batch === undefined && this.unsent.rows.length === 0
  }
}

/** What a machine has for it. `after` and `live` are of the machine, which may stand still and end. */
interface Surroundings {
  readonly membership: Membership
  readonly now: () => number
  readonly after: (milliseconds: number, call: () => void) => void
  readonly live: (call: () => void) => void
  readonly listen: (channel: string, receive: (message: string) => void) => void
  readonly disk: Disk
}

export class Sharing {
  /** Bytes that were added, and those of them that the disk or the store has. */
  added = 0
  saved = 0
  private readonly decisions: BanDecisions.BanDecisions
  private readonly usage: FleetUsage.FleetUsage
  private readonly now: () => number
  private readonly loops: ReadonlyArray<() => void>

  constructor({ membership, now, after, live, listen, disk }: Surroundings) {
    const { store, keys, id } = membership
    this.now = now
    const scheduler: Scheduler = {
      executionMode: "async",
      shouldYield: () => false,
      makeDispatcher: () => ({ scheduleTask: (task) => after(0, task), flush: () => {} })
    }
    const wakes: Array<() => void> = []
    const wake = (loop: number) => () => wakes[loop]?.()

    const bans = FleetBans.make({
      ...{ store, keys, machine: id, now, key: "", wake: wake(0) },
      machines: () => membership.machines,
      wordsFile: {
        left: disk.words,
        save: (words) =>
          Effect.sync(() => {
            disk.words = words
            return true
          })
      },
      storeNow: () => membership.storeTime()
    })
    this.decisions = BanDecisions.make(Hmac.hashes, bans.tell)
    bans.attach(this.decisions)
    listen(FleetBans.channelOf(keys), (text) => live(() => bans.receive(text)))

    const left = disk.unsent
    this.usage = FleetUsage.make(Usage.make(), {
      ...{ store, keys, id, now, resetDay: 1, wake: wake(1) },
      storeNow: () => membership.storeTime() ?? now(),
      journal: {
        left,
        save: (unsent) =>
          Effect.sync(() => {
            disk.unsent = unsent
            this.saved = this.added
          })
      },
      weight: () => (membership.isLost ? membership.machines : 1),
      denies: () => false
    })

    // As the loops of a server: each second, and soon after a wish.
    this.loops = [Effect.ensuring(bans.exchange, bans.save), this.usage.exchange].map((exchange, index) => {
      const quiet = Effect.ignore(Effect.provideService(exchange, References.MinimumLogLevel, "None"))
      let isAsked = false
      let isRunning = false
      let turn = 0
      const run = () => {
        isRunning = true
        isAsked = false
        turn++
        const fiber = Effect.runFork(quiet, { scheduler })
        fiber.addObserver((exit) => {
          if (exit._tag === "Failure") throw new Error(`an exchange has died: ${exit.cause}`)
          after(100, rest)
        })
      }
      const rest = () => {
        isRunning = false
        if (isAsked) return run()
        const before = turn
        after(1000, () => {
          if (turn === before && !isRunning) run()
        })
      }
      const ask = () => {
        isAsked = true
        if (!isRunning) after(0, () => !isRunning && run())
      }
      wakes[index] = ask
      after(0, run)
      return ask
    })
  }

  /** Uses bytes of an account. */
  add(account: string, bytes: number): void {
    this.added += bytes
    this.usage.add(account, received(bytes), this.now())
  }

  /** What the machine knows to be used of an account this month. */
  used(account: string): number {
    return this.usage.of(account, this.now()).month
  }

  /** Bytes that the store does not have, as far as the machine knows. */
  unsent(): number {
    return this.usage.unsentBytes()
  }

  ban(network: string, time: number): void {
    this.decisions.ban({
      ...{ network: networkOf(network), until: this.now() + time },
      ...{ reason: "abuse", failures: 0 }
    })
  }

  lift(network: string): void {
    this.decisions.lift(networkOf(network), this.now())
  }

  isBanned(address: string): boolean {
    return this.decisions.find(NetAddress.ipFromStringUnsafe(address), this.now()) !== undefined
  }

  bans(): ReadonlyArray<string> {
    return this.decisions.list(this.now()).map(({ network }) => IpNetwork.format(network))
  }

  /** The last exchanges, of a machine that leaves. */
  end(): void {
    for (const ask of this.loops) ask()
  }
}
