/**
 * A store of a fleet in memory: for tests, and to simulate many machines on a test clock. It does all that a real store
 * does to its machines: it is slow, cut off, stopped, emptied, and replaced by a server that has forgotten.
 */
import * as Effect from "effect/Effect"
import { FleetStoreFailed } from "../Errors.ts"
import type { FleetStore } from "./FleetStore.ts"
import { MemoryDatabase } from "./MemoryDatabase.ts"

/** What a store in memory is run by. Times are milliseconds. */
export interface Surroundings {
  /** The store's clock, since the epoch. */
  readonly now: () => number
  /** Calls back after so long; 0 is after the call under way. */
  readonly after: (milliseconds: number, call: () => void) => void
}

/** The connection of one machine. */
export interface Connection {
  readonly store: FleetStore["Service"]
  /** As `subscribe`, for good. */
  readonly listen: (channel: string, receive: (message: string) => void) => void
  /** As `onConnect`, for good. */
  readonly whenConnected: (connected: (run: string) => void) => void
  /** Cuts the connection: calls fail, and messages are lost. */
  readonly cut: () => void
  /** Loses all that is sent, without a notice: calls fail when they have waited a second. */
  readonly freeze: () => void
  /** Connects again. */
  readonly mend: () => void
}

export interface MemoryStore {
  readonly database: MemoryDatabase
  readonly connect: () => Connection
  /** Number of scripts that were run, and of messages that were sent to machines. */
  readonly counts: { scripts: number; messages: number }
  /** Stops the store: no connection works. */
  readonly stop: () => void
  /** Starts the store again, as another run of its server. */
  readonly start: () => void
}

/** How long a call waits for its reply. */
const patience = 1000

export const make = (
  { now, after }: Surroundings,
  /** The time on the way to the store, or back. */
  latency: () => number = () => 0,
  /** Whether a message to a machine is lost. */
  isMissed: () => boolean = () => false
): MemoryStore => {
  const links = new Set<Link>()
  const listening = new Map<string, Set<Link>>()
  const counts = { scripts: 0, messages: 0 }
  let runs = 1
  let isStopped = false
  const database = new MemoryDatabase(now, (channel, message) => {
    for (const link of listening.get(channel) ?? []) {
      const receivers = link.channels.get(channel)
      if (receivers === undefined || !link.isOpen || link.isFrozen || isMissed()) continue
      counts.messages++
      link.deliver(() => {
        for (const receive of receivers) receive(message)
      })
    }
  })

  class Link {
    isOpen = true
    isFrozen = false
    /** Counts the connections. What is under way on an earlier one is lost. */
    generation = 0
    readonly channels = new Map<string, Set<(message: string) => void>>()
    readonly listeners = new Set<(run: string) => void>()
    private lastUp = Number.NEGATIVE_INFINITY
    private lastDown = Number.NEGATIVE_INFINITY

    /** To the machine, in order. */
    deliver(call: () => void): void {
      const { generation } = this
      this.lastDown = Math.max(this.lastDown, now() + latency())
      after(this.lastDown - now(), () => {
        if (this.isOpen && !this.isFrozen && this.generation === generation) call()
      })
    }

    /** To the store, in order. */
    send(call: () => void): void {
      this.lastUp = Math.max(this.lastUp, now() + latency())
      const { isFrozen } = this
      const run = runs
      after(this.lastUp - now(), () => {
        if (!isFrozen && !isStopped && run === runs) call()
      })
    }

    connect(): void {
      this.isOpen = true
      this.isFrozen = false
      this.generation++
      for (const connected of this.listeners) after(0, () => connected(String(runs)))
    }

    cut(): void {
      this.isOpen = false
      this.generation++
    }
  }

  const [notConnected, noReply] = ["not connected", "no reply"].map(
    (reason) => new FleetStoreFailed({ store: "memory", reason })
  ) as [FleetStoreFailed, FleetStoreFailed]

  return {
    database,
    counts,
    connect: () => {
      const link = new Link()
      links.add(link)
      const listen = (channel: string, receive: (message: string) => void) => {
        const receivers = link.channels.get(channel) ?? new Set()
        link.channels.set(channel, receivers.add(receive))
        listening.set(channel, (listening.get(channel) ?? new Set()).add(link))
      }
      const whenConnected = (connected: (run: string) => void) => {
        link.listeners.add(connected)
        if (link.isOpen) connected(String(runs))
      }
      return {
        listen,
        whenConnected,
        store: {
          name: "memory",
          isConnected: () => link.isOpen,
          call: (script, keys, args, answer) => {
            if (!link.isOpen) return after(0, () => answer(notConnected))
            let isAnswered = false
            const reply = (value: Parameters<typeof answer>[0]) => {
              if (isAnswered) return
              isAnswered = true
              answer(value)
            }
            link.send(() => {
              counts.scripts++
              const value = script.run(database, keys, args.map(String))
              link.deliver(() => reply(value))
            })
            after(patience, () => reply(noReply))
          },
          publish: (channel, message) => {
            if (link.isOpen) link.send(() => database.publish(channel, message))
          },
          subscribe: (channel, receive) =>
            Effect.acquireRelease(
              Effect.sync(() => listen(channel, receive)),
              () => Effect.sync(() => void link.channels.get(channel)?.delete(receive))
            ),
          onConnect: (connected) =>
            Effect.acquireRelease(
              Effect.sync(() => whenConnected(connected)),
              () => Effect.sync(() => void link.listeners.delete(connected))
            )
        },
        cut: () => link.cut(),
        freeze: () => {
          link.isFrozen = true
        },
        mend: () => {
          if (!isStopped) link.connect()
        }
      }
    },
    stop: () => {
      isStopped = true
      for (const link of links) link.cut()
    },
    start: () => {
      isStopped = false
      runs++
      for (const link of links) link.connect()
    }
  }
}
