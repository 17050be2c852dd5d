/**
 * One relay: two directions, each ending by itself.
 */
import type { Duplex } from "node:stream"
import type { Flow, Pace } from "./BandwidthScheduler.ts"
import * as BulkReader from "./BulkReader.ts"
import { fullRead } from "./ReadBuffer.ts"
import { hasEnded, keepAlive, makeAttachment, probe, reset } from "./Streams.ts"

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
  // For what a whole session may have, by whoever counts that.
  | "lifetime"
  | "quota"
  // By whoever decides that it may be there no longer.
  | "denied"

/** What is to be connected, both ends paused; others listen to their errors. */
export interface Ends {
  readonly client: Duplex
  readonly target: Duplex
  /** What the client sent ahead of its session. */
  readonly early: Uint8Array
  readonly traffic: Traffic
  /** How fast the bytes may go, where that is limited. */
  readonly pace?: Pace | undefined
}

/** The time in ticks, of whatever length. */
export interface Clock {
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
      this.one.moved(early.length)
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
    keepAlive(this.one.duplex)
    keepAlive(this.other.duplex)
  }

  /** Gives up the memory that it read into, as long as nothing moves. */
  rest(): void {
    this.one.bulk?.rest()
    this.other.bulk?.rest()
  }

  /** Resets both ends. */
  end(reason: Ending): void {
    this.blame(reason)
    reset(this.one.duplex)
    reset(this.other.duplex)
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
class Side {
  readonly duplex: Duplex
  other!: Side
  /** Reads this end's bytes, once they are many. */
  bulk: BulkReader.BulkReader | undefined = undefined
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
    duplex: Duplex,
    cutOff: Ending,
    traffic: Traffic,
    way: "sent" | "received",
    lane: Flow | undefined
  ) {
    this.link = link
    this.duplex = duplex
    this.cutOff = cutOff
    this.traffic = traffic
    this.way = way
    this.lane = lane
  }

  moved(bytes: number): void {
    if (this.way === "sent") this.traffic.sent += bytes
    else this.traffic.received += bytes
    this.link.movedAt = this.link.clock.now
  }

  /** Passes on what this end sends and how it ends. */
  start(early: number): void {
    // Where little may pass, one read as usual would be too much.
    if (this.lane !== undefined && this.lane.slice < fullRead) this.promote()
    this.watch()
    this.duplex.on("data", onData)
    // What came early is charged too, and nobody starts ahead of those who wait.
    if (this.lane !== undefined) this.charge(this.lane, early)
    this.proceed()
  }

  /** Reads on, unless it is too early for that. */
  proceed(): void {
    if (!this.isHeld) this.duplex.resume()
  }

  /** Charges the lane for bytes, and holds this end back where it has to wait. */
  private charge(lane: Flow, bytes: number): void {
    // Once for each side that has a lane, and not for each chunk.
    this.go ??= () => this.letGo()
    if (lane.pass(bytes, this.go)) return
    this.isHeld = true
    this.duplex.pause()
  }

  private letGo(): void {
    this.isHeld = false
    this.link.movedAt = this.link.clock.now
    const { duplex } = this.other
    if (duplex.writableLength === 0) this.duplex.resume()
    else duplex.write(nothing, () => this.proceed())
  }

  /** Passes on what this end sends, until it sends much. */
  pass(chunk: Buffer): void {
    const to = this.other.duplex
    if (to.destroyed) {
      this.other.missed()
      return
    }
    this.moved(chunk.length)
    to.write(chunk)
    // Not what `write` returns: that is false for every large chunk, even one
    // that the kernel has taken whole.
    const waiting = to.writableLength
    if (waiting > 0 && waiting > to.writableHighWaterMark) this.duplex.pause()
    if (this.lane !== undefined) this.charge(this.lane, chunk.length)
    if (chunk.length >= fullRead && this.bulk === undefined) this.promote()
  }

  /** Reads in bulk from now on, if that can be. */
  private promote(): void {
    const deliver: BulkReader.Deliver = (chunk, written) => {
      const to = this.other.duplex
      if (to.destroyed) {
        this.other.missed()
        return true
      }
      this.moved(chunk.length)
      to.write(chunk)
      if (this.lane !== undefined) this.charge(this.lane, chunk.length)
      if (to.writableLength === 0) return true
      to.write(nothing, written)
      return false
    }
    this.bulk = BulkReader.promote(this.duplex, deliver, this.lane?.slice)
  }

  /** Passes on how this end ends. */
  private watch(): void {
    const { duplex } = this
    sides.set(duplex, this)
    duplex.on("drain", onDrain)
    if (duplex.readableEnded) this.finished()
    else duplex.on("end", onEnd)
    if (duplex.destroyed) setImmediate(() => this.closed())
    else duplex.on("close", onClose)
  }

  /** This end has sent all it had. */
  finished(): void {
    if (this.isFinished) return
    this.isFinished = true
    this.isHeld = false
    this.lane?.leave()
    this.link.isHalfClosed = true
    this.link.movedAt = this.link.clock.now
    this.isBehind = this.other.duplex.writableLength > 0
    this.other.duplex.end()
  }

  closed(): void {
    const { duplex, other } = this
    if (hasEnded(duplex)) this.finished()
    if (!this.isFinished) this.link.end(this.cutOff)
    // An end that had sent all it had and then broke has cut nothing off: the
    // other one still gets the rest, and what it sends goes nowhere.
    else if (!duplex.writableFinished) {
      if (other.isBehind) this.missed()
      other.duplex.resume()
    }
    this.link.closed()
  }

  /**
   * This end broke before it had all that was for it. One that broke with nothing
   * left to get did no more than not wait: so do TLS clients that close before
   * the target has said goodbye.
   */
  missed(): void {
    this.link.blame(this.cutOff)
  }
}

const nothing = Buffer.alloc(0)

// Listeners, the same for all ends: Node calls them with the end as `this`.

function onData(this: Duplex, chunk: Buffer): void {
  sides.of(this).pass(chunk)
}

function onDrain(this: Duplex): void {
  sides.of(this).other.proceed()
}

function onEnd(this: Duplex): void {
  probe(this)
  setImmediate(ended, this)
}

function onClose(this: Duplex): void {
  sides.of(this).closed()
}

const ended = (duplex: Duplex): void => {
  if (hasEnded(duplex)) sides.of(duplex).finished()
}

const sides = makeAttachment<Side>()
