/**
 * A connection as a stream for Node's HTTP. Counts the bytes, and hands bytes on only when `portion` and the flow
 * allow.
 *
 * At most the bytes of one read wait here: the connection is paused until they are handed on. What its stream holds
 * meanwhile is bounded by the stream's high-water mark.
 */
import { Duplex } from "node:stream"
import type { Flow } from "./BandwidthScheduler.ts"
import type { Transport } from "./Transport.ts"

interface Options {
  /** The number of these bytes to hand on now, in one piece. After 0, nothing is handed on until `proceed`. */
  readonly portion: (bytes: Buffer) => number
  readonly onRead: (bytes: number) => void
  readonly onWritten: (bytes: number) => void
}

type Done = (error?: Error | null) => void

export class Metered extends Duplex {
  private readonly carrier: Transport
  private readonly options: Options
  private pending: Buffer
  private flow: Flow | undefined
  /** Whether the stream's reader has asked for bytes. */
  private isWanted = false
  /** Whether the flow waits. */
  private isHeld = false
  private isCarrierOver = false
  private isDiscarding = false
  private isReleased = false
  /** Whether `pending` is lent, so that its bytes are valid only during the call. */
  private isLent = false
  private isBeingRead = false

  /** Takes over a paused connection, and the bytes that were read from it. */
  constructor(carrier: Transport, options: Options, early: Uint8Array = empty) {
    // With a high water mark of 0 the stream asks for the next piece only after the last piece was read.
    super({ readableHighWaterMark: 0, decodeStrings: false })
    this.carrier = carrier
    this.options = options
    this.pending = Buffer.from(early.buffer, early.byteOffset, early.length)
    carrier.listen({ received: this.onReceived, lent: this.onLent, ended: this.onEnd, closed: () => {} })
    // Called even if another receiver has taken this one's place.
    carrier.whenClosed(this.onClose)
    if (carrier.hasEnded) this.onEnd()
  }

  /** Hands bytes on again, after `portion` gave 0. */
  proceed(): void {
    if (!this.isWanted || this.isHeld || this.isDiscarding) return
    if (this.pending.length === 0) {
      if (this.isCarrierOver) this.push(null)
      else this.carrier.resume()
      return
    }
    const size = Math.min(this.options.portion(this.pending), this.flow?.slice ?? Infinity)
    // `portion` may have called `discard`.
    if (size === 0 || this.isDiscarding) return
    const piece = this.pending.subarray(0, size)
    this.pending = this.pending.subarray(size)
    this.isWanted = false
    this.options.onRead(size)
    this.charge(size)
    this.push(this.isLent && !this.isUsedAtOnce() ? Buffer.from(piece) : piece)
  }

  /** Goes by this flow from now on; by none if it is undefined. */
  pace(flow: Flow | undefined): void {
    this.flow = flow
    this.charge(0)
    this.proceed()
  }

  /** Discards all bytes from now on. */
  discard(): void {
    this.isDiscarding = true
    this.pending = empty
    this.carrier.resume()
  }

  /** Gives the connection back, paused. Returns the bytes that were not handed on. */
  release(): Buffer {
    this.carrier.pause()
    const { pending } = this
    this.isReleased = true
    this.isDiscarding = true
    this.pending = empty
    return pending
  }

  /** Resets the connection. */
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

  /** Whether a pushed piece goes to Node's parser at once, which copies what it keeps, and not into the queue. */
  private isUsedAtOnce(): boolean {
    return (
      this.readableFlowing === true &&
      this.readableLength === 0 &&
      !this.isBeingRead &&
      this.listenerCount("data") > 0
    )
  }

  private charge(bytes: number): void {
    this.isHeld = this.flow !== undefined && !this.flow.pass(bytes, this.letGo)
  }

  // Arrow functions, because they are passed to the connection and the flow without this object.

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
    // After `release` the connection belongs to its new owner.
    if (!this.isReleased) this.destroy(this.carrier.failure)
  }
}

const empty: Buffer = Buffer.alloc(0)
