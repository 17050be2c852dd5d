/**
 * A connection as Node's HTTP gets it: its bytes counted, and handed on only as
 * far and as fast as they may go.
 *
 * What waits is at most what one read of the connection brought: while there is
 * something of it left, the connection is not read.
 */
import { Duplex } from "node:stream"
import type { Flow } from "./BandwidthScheduler.ts"
import * as ReadBuffer from "./ReadBuffer.ts"
import { setCarrier } from "./Streams.ts"

export interface Options {
  /** How many of these bytes may be handed on now, in one piece; none of them until `proceed` is called. */
  readonly portion: (bytes: Buffer) => number
  readonly onRead: (bytes: number) => void
  readonly onWritten: (bytes: number) => void
}

type Done = (error?: Error | null) => void

export class Metered extends Duplex {
  private readonly carrier: Duplex
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
  /** The connection is read into the buffer that all share. */
  private isSharing = false
  /** What is pending is in that buffer, and has to be used up now. */
  private isLent = false
  private isBeingRead = false

  /** Takes a paused connection over, whose errors others listen to, and what was read of it already. */
  constructor(carrier: Duplex, options: Options, early: Uint8Array = empty) {
    // No piece is taken ahead of the one that is being read, which may be the last for now.
    super({ readableHighWaterMark: 0, decodeStrings: false })
    this.carrier = carrier
    this.options = options
    this.pending = Buffer.from(early.buffer, early.byteOffset, early.length)
    setCarrier(this, carrier)
    carrier.on("data", this.onData).on("end", this.onEnd).on("close", this.onClose)
    if (carrier.readableEnded) this.onEnd()
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
    this.carrier.pause().off("data", this.onData).off("end", this.onEnd).off("close", this.onClose)
    const { pending } = this
    this.isReleased = true
    this.isDiscarding = true
    this.pending = empty
    return pending
  }

  override _read(): void {
    this.isWanted = true
    this.isBeingRead = true
    this.proceed()
    this.isBeingRead = false
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: Done): void {
    this.options.onWritten(Buffer.byteLength(chunk, encoding))
    this.carrier.write(chunk, encoding, done)
  }

  override _writev(chunks: Array<{ chunk: Buffer | string; encoding: BufferEncoding }>, done: Done): void {
    this.carrier.cork()
    for (const [index, { chunk, encoding }] of chunks.entries()) {
      this._write(chunk, encoding, index === chunks.length - 1 ? done : ignored)
    }
    this.carrier.uncork()
  }

  override _final(done: Done): void {
    if (this.carrier.writable) this.carrier.end(() => done())
    else done()
  }

  override _destroy(error: Error | null, done: Done): void {
    const isInOrder = this.readableEnded && this.writableFinished
    if (!isInOrder && !this.isDiscarding) this.carrier.destroy()
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

  private readonly onData = (chunk: Buffer): void => {
    if (this.isDiscarding) return
    this.pending = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk])
    this.proceed()
    if (this.pending.length > 0) this.carrier.pause()
    if (chunk.length < ReadBuffer.fullRead || this.isSharing || this.isDiscarding) return
    this.isSharing = ReadBuffer.readInto(this.carrier, () => shared, this.onShared)
  }

  private readonly onShared = (chunk: Buffer): boolean => {
    if (this.isReleased) return this.carrier.push(Buffer.from(chunk))
    if (this.isDiscarding) return true
    this.isLent = this.pending.length === 0
    this.pending = this.isLent ? chunk : Buffer.concat([this.pending, chunk])
    this.proceed()
    if (this.isLent && this.pending.length > 0) this.pending = Buffer.from(this.pending)
    this.isLent = false
    return this.pending.length === 0
  }

  private readonly onEnd = (): void => {
    this.isCarrierOver = true
    this.proceed()
  }

  private readonly onClose = (): void => {
    this.destroy(this.carrier.errored ?? undefined)
  }
}

const empty: Buffer = Buffer.alloc(0)

/** One for all connections, as what is read into it is used up, or copied, before the next read. */
const shared = Buffer.allocUnsafeSlow(ReadBuffer.fullRead)

const ignored = (): void => {}
