/**
 * The received bytes of a connection that speaks HTTP/1: one taker at a time takes them, as fast as the flow allows.
 *
 * At most the bytes of one read wait here, and the rest of a head or of the line of a chunk: the connection is paused
 * until they are taken.
 */
import type { Flow } from "./BandwidthScheduler.ts"
import type { Receiver, Transport } from "./Transport.ts"

/** Takes the bytes of one part of a message. */
export interface Taker {
  /** Looks at all bytes that are there, and takes bytes from their start by `use`. After `use` of none, more are needed. */
  readonly take: (bytes: Buffer) => void
  /** The other side has sent FIN, and what it has sent before is not enough. */
  readonly ended: () => void
}

export class HttpInput implements Receiver {
  /** Called with the number of bytes that were taken. */
  onRead: (bytes: number) => void
  /** Called when the connection has closed or broken. */
  onClosed: () => void = () => {}
  private readonly transport: Transport
  private pending: Buffer
  private taker: Taker | undefined = undefined
  private flow: Flow | undefined = undefined
  /** Whether the flow waits. */
  private isHeld = false
  private isPaused = true
  private isRunning = false
  private isDiscarding = false
  private isReleased = false
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
    this.taker = undefined
    this.isDiscarding = true
    this.pending = empty
    this.run()
  }

  /** Gives the connection back, paused, and the bytes that were not taken. */
  release(): Buffer {
    const { pending } = this
    this.taker = undefined
    this.isDiscarding = true
    this.isReleased = true
    this.pending = empty
    this.transport.pause()
    return pending
  }

  received(chunk: Buffer): void {
    if (this.isDiscarding) return
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk])
    this.isShort = false
    this.run()
  }

  ended(): void {
    this.run()
  }

  closed(): void {}

  /** Gives the taker bytes as long as it takes some. */
  private run(): void {
    if (this.isRunning) return
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
    if (this.isReleased) return
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

const empty: Buffer = Buffer.alloc(0)
