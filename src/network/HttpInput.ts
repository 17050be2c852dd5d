/**
 * The received bytes of a connection that speaks HTTP/1: one taker at a time takes them, as fast as the flow allows.
 *
 * At most the bytes of one read wait here, and the rest of a head or of the line of a chunk: the connection is paused
 * until they are taken.
 */
import * as HttpHead from "../wire/HttpHead.ts"
import type { Flow } from "./BandwidthScheduler.ts"
import type { Mover, Receiver, Transport } from "./Transport.ts"

/** Takes the bytes of one part of a message. */
export interface Taker {
  /** Looks at all bytes that are there, and takes bytes from their start by `use`. After `use` of none, more are needed. */
  readonly take: (bytes: Buffer) => void
  /** The other side has sent FIN, and what it has sent before is not enough. */
  readonly ended: () => void
  /** Whether bytes without the end of a line are of no use, as long as a head may become larger. */
  readonly byLine?: boolean
}

/** Has the connection for a while. */
export interface Borrower extends Mover {
  /** To give the connection back soon. */
  readonly stop: () => void
}

const lf = 0x0a

const empty: Buffer = Buffer.alloc(0)

export class HttpInput implements Receiver {
  /** Called with the number of bytes that were taken. */
  onRead: (bytes: number) => void
  /** Called when the connection has closed or broken. */
  onClosed: () => void = () => {}
  private readonly transport: Transport
  private pending: Buffer
  /** The buffer of `pending`, if that came in several pieces. */
  private room: Buffer = empty
  private taker: Taker | undefined = undefined
  private flow: Flow | undefined = undefined
  /** Whether the flow waits. */
  private isHeld = false
  private isPaused = true
  private isRunning = false
  private isDiscarding = false
  private isReleased = false
  /** Has the connection, if the transport relays it. */
  private relay: Borrower | undefined = undefined
  /** Whether the taker has seen all bytes that are there, and needs more. */
  private isShort = false
  private used = 0

  /** Takes over a paused connection, and the bytes that were read from it. */
  constructor(transport: Transport, early: Uint8Array, onRead: (bytes: number) => void) {
    this.transport = transport
    this.onRead = onRead
    this.pending = Buffer.from(early.buffer, early.byteOffset, early.length)
    transport.listen(this)
    transport.whenClosed(() => this.onClosed())
    this.run()
  }

  /** Whether bytes wait that nobody has taken. */
  get hasBytes(): boolean {
    return this.pending.length > 0
  }

  /** The most bytes that come at once while the connection is lent. */
  get largestMove(): number {
    return this.transport.largestMove ?? Number.POSITIVE_INFINITY
  }

  /** Whether the transport can relay what comes: not if it goes by a flow, or may bring any number of bytes at once. */
  get canLend(): boolean {
    return this.flow === undefined && this.transport.largestMove !== undefined && !this.isDiscarding
  }

  /** Reads nothing until `lend` or `takeBack`. No bytes may wait. */
  reserve(relay: Borrower): void {
    this.relay = relay
    this.isPaused = true
    this.transport.pause()
  }

  /** Has the transport relay what comes, until `takeBack`. */
  lend(to: Transport, relay: Borrower): void {
    this.transport.relayTo(to, relay, undefined)
    this.transport.resume()
  }

  /** Reads nothing for a while, if the connection is lent. */
  hold(): void {
    if (this.relay) this.transport.pause()
  }

  letGoOn(): void {
    if (this.relay) this.transport.resume()
  }

  /** Takes what comes itself again. Returns false if the connection has been given away. */
  takeBack(relay: Borrower): boolean {
    if (this.isReleased || (this.relay !== undefined && this.relay !== relay)) return false
    if (this.relay === undefined) return true
    this.relay = undefined
    this.isPaused = true
    this.transport.listen(this)
    this.run()
    return true
  }

  /** Gives the bytes to this taker from now on; to none, if it is left out. */
  want(taker?: Taker): void {
    this.taker = taker
    this.isShort = false
    this.run()
  }

  /** Takes this many bytes. To be called by the taker. */
  use(bytes: number): void {
    if (bytes === 0) return
    this.used += bytes
    this.pending = this.pending.subarray(bytes)
    if (this.pending.length === 0) this.room = empty
    this.onRead(bytes)
    this.charge(bytes)
  }

  /** Goes by this flow from now on; by none if it is undefined. */
  pace(flow: Flow | undefined): void {
    this.flow = flow
    this.charge(0)
    this.run()
  }

  /** Discards all bytes from now on. */
  discard(): void {
    this.relay?.stop()
    this.taker = undefined
    this.isDiscarding = true
    this.pending = empty
    this.run()
  }

  /** Gives the connection back, paused, and the bytes that were not taken. */
  release(): Buffer {
    const { pending } = this
    this.relay = undefined
    this.taker = undefined
    this.isDiscarding = true
    this.isReleased = true
    this.pending = empty
    this.transport.pause()
    return pending
  }

  received(chunk: Buffer): void {
    if (this.isDiscarding) return
    this.append(chunk)
    // To look at all of a head again for each of its bytes would take quadratic time.
    const isUseless =
      this.isShort && this.taker?.byLine && !chunk.includes(lf) && this.pending.length <= HttpHead.sizeLimit
    if (isUseless) return
    this.isShort = false
    this.run()
  }

  ended(): void {
    this.run()
  }

  closed(): void {}

  /** Appends in a buffer with room for more, so that each byte is copied a few times only. What was given out stays. */
  private append(chunk: Buffer): void {
    const { pending, room } = this
    const size = pending.length + chunk.length
    if (pending.length === 0) {
      this.pending = chunk
      return
    }
    const isInRoom = pending.buffer === room.buffer
    const start = isInRoom ? pending.byteOffset - room.byteOffset : 0
    if (isInRoom && start + size <= room.length) chunk.copy(room, start + pending.length)
    else {
      this.room = Buffer.allocUnsafeSlow(2 * size)
      pending.copy(this.room)
      chunk.copy(this.room, pending.length)
    }
    const from = this.room === room ? start : 0
    this.pending = this.room.subarray(from, from + size)
  }

  /** Gives the taker bytes as long as it takes some. */
  private run(): void {
    if (this.isRunning || this.relay) return
    this.isRunning = true
    while (this.taker !== undefined && !this.isHeld && !this.isShort && this.pending.length > 0) {
      this.isShort = !this.offer(this.taker)
    }
    this.isRunning = false
    this.steer()
  }

  /** Returns whether the taker took bytes, or another taker took its place. */
  private offer(taker: Taker): boolean {
    this.used = 0
    const { length } = this.pending
    const slice = this.flow === undefined ? length : Math.min(this.flow.slice, length)
    taker.take(slice < length ? this.pending.subarray(0, slice) : this.pending)
    // What needs to be seen whole may be larger than a slice.
    if (this.used === 0 && slice < length && this.taker === taker) taker.take(this.pending)
    return this.used > 0 || this.taker !== taker
  }

  /** Reads on if the bytes that come are wanted; tells the taker if none will come. */
  private steer(): void {
    const { taker, transport } = this
    // While it is lent, only who has it goes on.
    if (this.isReleased || this.relay) return
    const needsMore = taker !== undefined && !this.isHeld && (this.isShort || this.pending.length === 0)
    if (needsMore && transport.hasEnded) {
      this.taker = undefined
      taker.ended()
      return
    }
    const isWaiting = !needsMore && (this.isHeld || this.pending.length > 0)
    if (isWaiting === this.isPaused) return
    this.isPaused = isWaiting
    if (isWaiting) transport.pause()
    else transport.resume()
  }

  private charge(bytes: number): void {
    this.isHeld = this.flow !== undefined && !this.flow.pass(bytes, this.letGo)
  }

  private readonly letGo = (): void => {
    this.isHeld = false
    this.run()
  }
}
