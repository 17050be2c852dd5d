/**
 * The relay between one client and one target: two directions, each of which ends by itself.
 */
import type { Flow, Pace } from "./BandwidthScheduler.ts"
import type { Mover, Transport } from "./Transport.ts"

/** The bytes of a session so far. */
export interface Traffic {
  /** From the client to the target. */
  sent: number
  /** From the target to the client. */
  received: number
  /** The number of relayed datagrams of an association. */
  datagrams?: number
  /** The number of dropped datagrams of an association. */
  dropped?: number
}

/** How a relay ended. */
export type Ending =
  | "finished"
  | "client reset"
  | "target reset"
  | "idle"
  | "half-closed"
  // A limit of the session was reached.
  | "lifetime"
  | "quota"
  // New settings or users no longer allow the session.
  | "denied"
  // The operator ended the session.
  | "ended by operator"

/** The two connections to relay between, both paused. */
export interface Ends {
  readonly client: Transport
  readonly target: Transport
  /** Bytes that the client sent before the relay began. */
  readonly early: Uint8Array
  readonly traffic: Traffic
  /** The flows of the bandwidth limits. */
  readonly pace?: Pace | undefined
  /** Called at the first byte of the target. */
  readonly onFirstByte?: (() => void) | undefined
}

/** The time in ticks. */
interface Clock {
  readonly now: number
}

/**
 * One relay. Every session has one for its whole duration, most of it idle. So a relay is three objects without
 * closures, to save memory.
 */
export class RelayPair {
  /** The tick at which a byte last moved. */
  movedAt: number
  /** Whether one direction has ended. */
  isHalfClosed = false
  /** Whether TCP keep-alive is on. */
  isKeptAlive = false
  readonly clock: Clock
  readonly onFirstByte: (() => void) | undefined
  private readonly one: Side
  private readonly other: Side
  /** Called once, when both connections are closed, and never in the constructor. */
  onEnd: (ending: Ending) => void = () => {}
  private ending: Ending = "finished"
  private open = 2

  /** Connects two paused ends. */
  constructor({ client, target, early, traffic, pace, onFirstByte }: Ends, clock: Clock) {
    this.clock = clock
    this.onFirstByte = onFirstByte
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

  /** Whether a direction waits for bandwidth. */
  isHeld(): boolean {
    return this.one.isHeld || this.other.isHeld
  }

  /** Switches TCP keep-alive on, on both connections. */
  keepAlive(): void {
    this.isKeptAlive = true
    this.one.transport.keepAlive()
    this.other.transport.keepAlive()
  }

  /** Gives up the read buffers of both connections. */
  rest(): void {
    this.one.transport.rest()
    this.other.transport.rest()
  }

  /** Resets both connections. */
  end(reason: Ending): void {
    this.blame(reason)
    this.one.transport.reset()
    this.other.transport.reset()
  }

  /** Notes the first reason of the end. */
  blame(reason: Ending): void {
    if (this.ending === "finished") this.ending = reason
  }

  /** To be called when one of the connections has closed. */
  closed(): void {
    if (--this.open === 0) this.onEnd(this.ending)
  }
}

/** One end of a pair: its connection, and the direction of the bytes that this end sends. */
class Side implements Mover {
  readonly transport: Transport
  other!: Side
  /** Whether this end waits for bandwidth. */
  isHeld = false
  private readonly pair: RelayPair
  /** The ending for a relay that this end breaks off. */
  private readonly cutOff: Ending
  private readonly traffic: Traffic
  private readonly way: "sent" | "received"
  /** The bandwidth limit of the bytes that this end sends. */
  private readonly flow: Flow | undefined
  private go: (() => void) | undefined = undefined
  private isFinished = false
  /** Whether this end finished before the other end had taken all bytes. */
  private isBehind = false

  constructor(
    pair: RelayPair,
    transport: Transport,
    cutOff: Ending,
    traffic: Traffic,
    way: "sent" | "received",
    flow: Flow | undefined
  ) {
    this.pair = pair
    this.transport = transport
    this.cutOff = cutOff
    this.traffic = traffic
    this.way = way
    this.flow = flow
  }

  /** Begins to pass on the bytes and the end of this side. `early` is the number of bytes that went ahead. */
  start(early: number): void {
    this.transport.relayTo(this.other.transport, this, this.flow?.slice)
    // The early bytes are charged, too. Even a charge of 0 puts this end behind the flows that wait.
    if (this.flow !== undefined) this.charge(this.flow, early)
    this.proceed()
  }

  count(bytes: number): void {
    if (this.way === "sent") this.traffic.sent += bytes
    else {
      if (this.traffic.received === 0) this.pair.onFirstByte?.()
      this.traffic.received += bytes
    }
    this.pair.movedAt = this.pair.clock.now
  }

  moved(bytes: number): void {
    this.count(bytes)
    if (this.flow !== undefined) this.charge(this.flow, bytes)
  }

  missed(): void {
    this.other.broke()
    // A client that is gone takes no answer. When the target has all that the client sent, it hears of that, as from
    // the client's own system; else the target could send to nobody, without limit and uncounted. A target that is gone
    // has answered: its client sends what it likes until it has read the answer.
    if (this.way === "received" && this.transport.hasSentAll) this.transport.close()
  }

  drained(): void {
    this.other.proceed()
  }

  /** This end has sent FIN. */
  ended(): void {
    if (this.isFinished) return
    this.isFinished = true
    this.isHeld = false
    this.flow?.leave()
    this.pair.isHalfClosed = true
    this.pair.movedAt = this.pair.clock.now
    this.isBehind = this.other.transport.unsent > 0
    this.other.transport.end()
  }

  closed(): void {
    const { transport, other } = this
    if (transport.hasEnded) this.ended()
    if (!this.isFinished) this.pair.end(this.cutOff)
    // This end sent FIN and then broke, so nothing that it sent is lost. The other end still gets the rest, and its own
    // bytes are discarded.
    else if (!transport.hasSentAll) {
      if (other.isBehind) this.broke()
      other.transport.resume()
    }
    this.pair.closed()
  }

  /** Reads on, unless this end waits for bandwidth. */
  private proceed(): void {
    if (!this.isHeld) this.transport.resume()
  }

  /** Charges the flow for bytes, and pauses this end if it has to wait. */
  private charge(flow: Flow, bytes: number): void {
    // One closure for each side with a flow, and not for each chunk.
    this.go ??= () => this.letGo()
    if (flow.pass(bytes, this.go)) return
    this.isHeld = true
    this.transport.pause()
  }

  private letGo(): void {
    this.isHeld = false
    this.pair.movedAt = this.pair.clock.now
    const { transport } = this.other
    if (transport.unsent === 0) this.transport.resume()
    else transport.write(nothing, () => this.proceed())
  }

  /**
   * This end broke before it had taken all bytes of the other end. An end that breaks later broke nothing off: TLS
   * clients often close before the target's close_notify.
   */
  private broke(): void {
    this.pair.blame(this.cutOff)
  }
}

const nothing = new Uint8Array(0)
