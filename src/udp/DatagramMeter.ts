/**
 * The limits and counters of an association's datagrams: bandwidth, memory budget, the queue of the system, and the
 * time of the last datagram.
 */
import type * as Clock from "effect/Clock"
import type { Pace } from "../network/BandwidthScheduler.ts"
import type { Traffic } from "../network/Relay.ts"
import type { WhenSent } from "../network/UdpSocket.ts"
import type { Room } from "./DatagramBudget.ts"
import type { RuleUse } from "./RuleUses.ts"

/** The most datagrams that the system has not taken yet. */
const pendingLimit = 64

/** The least bytes that a datagram counts in the memory budget. */
const small = 2048

export class DatagramMeter {
  /** The time of the last relayed datagram, in milliseconds since the epoch. */
  movedAt: number
  /** Datagrams that the system has not taken yet. */
  private pending = 0
  private readonly traffic: Traffic
  private readonly pace: Pace | undefined
  private readonly room: Room
  private readonly clock: Clock.Clock

  constructor(traffic: Traffic, pace: Pace | undefined, room: Room, clock: Clock.Clock) {
    traffic.datagrams = 0
    traffic.dropped = 0
    this.traffic = traffic
    this.pace = pace
    this.room = room
    this.clock = clock
    this.movedAt = clock.currentTimeMillisUnsafe()
  }

  /** Counts a dropped datagram. An arrow function, because callbacks call it without this object. */
  readonly drop = (): void => this.dropMany(1)

  readonly dropMany = (count: number): void => {
    this.traffic.dropped = (this.traffic.dropped ?? 0) + count
  }

  /** Charges a datagram of this size, in this direction. If a limit does not allow it, counts it as dropped. */
  charge(size: number, way: keyof Pace, use: RuleUse | undefined): boolean {
    const flow = this.pace?.[way]
    const ofRule = use?.pace?.[way]
    const mustWait = use?.hasEnded || flow?.isWaiting() || ofRule?.isWaiting()
    if (mustWait || this.pending >= pendingLimit || !this.room.take(Math.max(size, small))) {
      this.drop()
      return false
    }
    flow?.pass(size, nothing)
    ofRule?.pass(size, nothing)
    this.pending++
    this.traffic.datagrams = (this.traffic.datagrams ?? 0) + 1
    this.movedAt = this.clock.currentTimeMillisUnsafe()
    if (use) use.movedAt = this.movedAt
    return true
  }

  /** The callback for a charged datagram of this size, for when the system has taken it. Most datagrams share one. */
  whenSent(size: number): WhenSent {
    return size <= small ? this.smallSent : this.sent(size)
  }

  private sent(bytes: number): WhenSent {
    return (error) => {
      this.pending--
      this.room.giveBack(bytes)
      if (error) this.drop()
    }
  }

  private readonly smallSent = this.sent(small)
}

const nothing = () => {}
