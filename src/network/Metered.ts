/**
 * A connection as Node's HTTP gets it, a stream: its bytes counted, and handed on
 * only as far and as fast as they may go.
 *
 * What waits is at most what one read of the connection brought: while there is
 * something of it left, the connection is not read.
 */
import { Duplex } from "node:stream"
import type { Flow } from "./BandwidthScheduler.ts"
import type { Transport } from "./Transport.ts"

interface Options {
  /** How many of these bytes may be handed on now, in one piece; none of them until `proceed` is called. */
  readonly portion: (bytes: Buffer) => number
  readonly onRead: (bytes: number) => void
  readonly onWritten: (bytes: number) => void
}

type Done = (error?: Error | null) => void

export class Metered extends Duplex {
  private readonly carrier: Transport
  private readonly options: Options
  private pending: Buffer
  private lane: Flow | undefined
  /** Its reader has asked for more. */
  private isWanted = false
  /** Has handed on all it may for now. */
  private isHeld = false
  private isCarrierOver = false
  private isDiscarding = false
  private isReleased = false
  /** What is pending is lent, and has to be used up now. */
  private isLent = false
  private isBeingRead = false

  /** Takes a paused connection over, and what was read of it already. */
  constructor(carrier: Transport, options: Options, early: Uint8Array = empty) {
    // No piece is taken ahead of the one that is being read, which may be the last for now.
    super({ readableHighWaterMark: 0, decodeStrings: false })
    this.carrier = carrier
    this.options = options
    this.pending = Buffer.from(early.buffer, early.byteOffset, early.length)
    carrier.listen({ received: this.onReceived, lent: this.onLent, ended: this.onEnd, closed: () => {} })
    // Also when it is no longer the one that listens.
    carrier.whenClosed(this.onClose)
    if (carrier.hasEnded) this.onEnd()
  }

  /** Goes on where `portion` had nothing to hand on. */
  proceed(): void {
    if (!this.isWanted || this.isHeld || this.isDiscarding) return
    if (this.pending.length === 0) {
      if (this.isCarrierOver) this.push(null)
      else this.carrier.resume()
      return
    }
    const size = Math.min(this.options.portion(this.pending), this.lane?.slice ?? Infinity)
    // What `portion` found may have ended this.
    if (size === 0 || this.isDiscarding) return
    const piece = this.pending.subarray(0, size)
    this.pending = this.pending.subarray(size)
    this.isWanted = false
    this.options.onRead(size)
    this.charge(size)
    this.push(this.isLent && !this.isUsedAtOnce() ? Buffer.from(piece) : piece)
  }

  /** Has to keep to a lane from now on, if there is one, and goes on when it is its turn. */
  pace(lane: Flow | undefined): void {
    this.lane = lane
    this.charge(0)
    this.proceed()
  }

  /** Throws away whatever comes from now on. */
  discard(): void {
    this.isDiscarding = true
    this.pending = empty
    this.carrier.resume()
  }

  /** Gives the connection back, paused, and what was read and not handed on. */
  release(): Buffer {
    this.carrier.pause()
    const { pending } = this
    this.isReleased = true
    this.isDiscarding = true
    this.pending = empty
    return pending
  }

  /** Ends the connection so that the other side can tell it was cut off. */
  reset(): void {
    this.carrier.reset()
    this.destroy()
  }

  override _read(): void {
    this.isWanted = true
    this.isBeingRead = true
    this.proceed()
    this.isBeingRead = false
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: Done): void {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk
    this.options.onWritten(bytes.length)
    this.carrier.write(bytes, done)
  }

  override _writev(chunks: Array<{ chunk: Buffer | string; encoding: BufferEncoding }>, done: Done): void {
    const pieces = chunks.map(({ chunk, encoding }) =>
      typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk
    )
    for (const { length } of pieces) this.options.onWritten(length)
    this.carrier.writeAll(pieces, done)
  }

  override _final(done: Done): void {
    if (this.carrier.isWritable) this.carrier.end(() => done())
    else done()
  }

  override _destroy(error: Error | null, done: Done): void {
    const isInOrder = this.readableEnded && this.writableFinished
    if (!isInOrder && !this.isDiscarding) this.carrier.close()
    done(error)
  }

  /** Whether a piece that is pushed goes to Node's parser, which copies what it keeps, and not into a queue. */
  private isUsedAtOnce(): boolean {
    return (
      this.readableFlowing === true &&
      this.readableLength === 0 &&
      !this.isBeingRead &&
      this.listenerCount("data") > 0
    )
  }

  private charge(bytes: number): void {
    this.isHeld = this.lane !== undefined && !this.lane.pass(bytes, this.letGo)
  }

  // With this object bound to them, as they are its connection's listeners and its lane's.

  private readonly letGo = (): void => {
    this.isHeld = false
    this.proceed()
  }

  private readonly onReceived = (chunk: Buffer): void => {
    if (this.isDiscarding) return
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk])
    this.proceed()
    if (this.pending.length > 0) this.carrier.pause()
  }

  private readonly onLent = (chunk: Buffer): void => {
    this.isLent = this.pending.length === 0
    this.onReceived(chunk)
    if (this.isLent && this.pending.length > 0) this.pending = Buffer.from(this.pending)
    this.isLent = false
  }

  private readonly onEnd = (): void => {
    this.isCarrierOver = true
    this.proceed()
  }

  private readonly onClose = (): void => {
    // What it has given back goes on without it.
    if (!this.isReleased) this.destroy(this.carrier.failure)
  }
}

const empty: Buffer = Buffer.alloc(0)
