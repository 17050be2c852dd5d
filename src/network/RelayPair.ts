/**
 * One relay: two directions, each ending by itself.
 */
import type { Flow, Pace } from "./BandwidthScheduler.ts"
import type { Mover, Transport } from "./Transport.ts"

/** Bytes moved so far, kept up to date while they move. */
export interface Traffic {
  /** From the client to the target. */
  sent: number
  /** From the target to the client. */
  received: number
  /** Datagrams that went nowhere, where there are datagrams. */
  dropped?: number
}

/** How a relay came to its end. */
export type Ending =
  | "finished"
  | "client reset"
  | "target reset"
  | "idle"
  | "half-closed"
  // By a limit of the whole session.
  | "lifetime"
  | "quota"
  // By settings or users that no longer allow it.
  | "denied"
  // By hand.
  | "ended by operator"

/** What is to be connected, both ends paused. */
export interface Ends {
  readonly client: Transport
  readonly target: Transport
  /** What the client sent ahead of its session. */
  readonly early: Uint8Array
  readonly traffic: Traffic
  /** How fast the bytes may go, where that is limited. */
  readonly pace?: Pace | undefined
}

/** The time in ticks, of whatever length. */
interface Clock {
  readonly now: number
}

/** One relay. Each session has one for as long as it lasts, mostly doing nothing: so it is two objects and a link between them, and no closures. */
export class RelayPair {
  /** When a byte last moved. */
  movedAt: number
  /** One direction has ended. */
  isHalfClosed = false
  /** Has been quiet, so that the system looks whether both ends are still there. */
  isKeptAlive = false
  readonly clock: Clock
  private readonly one: Side
  private readonly other: Side
  /** Called once, when both ends are closed: never before this is made. */
  onEnd: (ending: Ending) => void = () => {}
  private ending: Ending = "finished"
  private open = 2

  /** Connects two paused ends. */
  constructor({ client, target, early, traffic, pace }: Ends, clock: Clock) {
    this.clock = clock
    this.movedAt = clock.now
    this.one = new Side(this, client, "client reset", traffic, "sent", pace?.upload)
    this.other = new Side(this, target, "target reset", traffic, "received", pace?.download)
    this.one.other = this.other
    this.other.other = this.one
    if (early.length > 0) {
      this.one.count(early.length)
      target.write(early)
    }
    this.one.start(early.length)
    this.other.start(0)
  }

  /** Nothing moves because it would be too fast. */
  isHeld(): boolean {
    return this.one.isHeld || this.other.isHeld
  }

  /** Has the system find out whether both ends are still there while they are quiet. */
  keepAlive(): void {
    this.isKeptAlive = true
    this.one.transport.keepAlive()
    this.other.transport.keepAlive()
  }

  /** Gives up the memory that it read into, as long as nothing moves. */
  rest(): void {
    this.one.transport.rest()
    this.other.transport.rest()
  }

  /** Resets both ends. */
  end(reason: Ending): void {
    this.blame(reason)
    this.one.transport.reset()
    this.other.transport.reset()
  }

  /** Notes how this came to its end, unless that is known. */
  blame(reason: Ending): void {
    if (this.ending === "finished") this.ending = reason
  }

  /** One of the ends is closed. */
  closed(): void {
    if (--this.open === 0) this.onEnd(this.ending)
  }
}

/** One end of a link, which is also where the other end's bytes go. */
class Side implements Mover {
  readonly transport: Transport
  other!: Side
  /** Has sent all it may for now. */
  isHeld = false
  private readonly link: RelayPair
  /** What it is called when this side breaks off. */
  private readonly cutOff: Ending
  private readonly traffic: Traffic
  private readonly way: "sent" | "received"
  /** What limits how fast its bytes go. */
  private readonly lane: Flow | undefined
  private go: (() => void) | undefined = undefined
  private isFinished = false
  /** Finished while the other end had yet to take some of what it sent. */
  private isBehind = false

  constructor(
    link: RelayPair,
    transport: Transport,
    cutOff: Ending,
    traffic: Traffic,
    way: "sent" | "received",
    lane: Flow | undefined
  ) {
    this.link = link
    this.transport = transport
    this.cutOff = cutOff
    this.traffic = traffic
    this.way = way
    this.lane = lane
  }

  /** Passes on what this end sends and how it ends. */
  start(early: number): void {
    this.transport.relayTo(this.other.transport, this, this.lane?.slice)
    // What came early is charged too, and nobody starts ahead of those who wait.
    if (this.lane !== undefined) this.charge(this.lane, early)
    this.proceed()
  }

  count(bytes: number): void {
    if (this.way === "sent") this.traffic.sent += bytes
    else this.traffic.received += bytes
    this.link.movedAt = this.link.clock.now
  }

  moved(bytes: number): void {
    this.count(bytes)
    if (this.lane !== undefined) this.charge(this.lane, bytes)
  }

  missed(): void {
    this.other.broke()
  }

  drained(): void {
    this.other.proceed()
  }

  /** This end has sent all it had. */
  ended(): void {
    if (this.isFinished) return
    this.isFinished = true
    this.isHeld = false
    this.lane?.leave()
    this.link.isHalfClosed = true
    this.link.movedAt = this.link.clock.now
    this.isBehind = this.other.transport.unsent > 0
    this.other.transport.end()
  }

  closed(): void {
    const { transport, other } = this
    if (transport.hasEnded) this.ended()
    if (!this.isFinished) this.link.end(this.cutOff)
    // An end that had sent all it had and then broke has cut nothing off: the
    // other one still gets the rest, and what it sends goes nowhere.
    else if (!transport.hasSentAll) {
      if (other.isBehind) this.broke()
      other.transport.resume()
    }
    this.link.closed()
  }

  /** Reads on, unless it is too early for that. */
  private proceed(): void {
    if (!this.isHeld) this.transport.resume()
  }

  /** Charges the lane for bytes, and holds this end back where it has to wait. */
  private charge(lane: Flow, bytes: number): void {
    // Once for each side that has a lane, and not for each chunk.
    this.go ??= () => this.letGo()
    if (lane.pass(bytes, this.go)) return
    this.isHeld = true
    this.transport.pause()
  }

  private letGo(): void {
    this.isHeld = false
    this.link.movedAt = this.link.clock.now
    const { transport } = this.other
    if (transport.unsent === 0) this.transport.resume()
    else transport.write(nothing, () => this.proceed())
  }

  /**
   * This end broke before it had all that was for it. One that broke with nothing
   * left to get did no more than not wait: so do TLS clients that close before
   * the target has said goodbye.
   */
  private broke(): void {
    this.link.blame(this.cutOff)
  }
}

const nothing = new Uint8Array(0)
