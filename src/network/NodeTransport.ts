/**
 * A connection on one of Node's streams: a socket, TLS on one, or a pair in memory.
 */
import { Socket } from "node:net"
import type { Duplex } from "node:stream"
import * as BulkReader from "./BulkReader.ts"
import * as ReadBuffer from "./ReadBuffer.ts"
import type { Mover, Receiver, Transport } from "./Transport.ts"

/**
 * Takes a stream over, and hears its errors. `carrier` is the connection that
 * carries its bytes, such as TCP those of TLS: that is what is reset.
 */
export const make = (duplex: Duplex, carrier?: Transport): Transport => new NodeTransport(duplex, carrier)

class NodeTransport implements Transport {
  private readonly duplex: Duplex
  private readonly carrier: Transport | undefined
  private receiver: Receiver | undefined = undefined
  private mover: Mover | undefined = undefined
  /** Where what comes from here goes, while there is a mover. */
  private to: Transport | undefined = undefined
  private bulk: BulkReader.BulkReader | undefined = undefined
  private isSharing = false
  private isHeard = false
  private isOver = false

  constructor(duplex: Duplex, carrier: Transport | undefined) {
    this.duplex = duplex
    this.carrier = carrier
    transports.set(duplex, this)
    duplex.on("error", ignored).on("close", onClose)
    if (duplex.destroyed) setImmediate(closed, this)
  }

  get isClosed(): boolean {
    return this.duplex.destroyed
  }

  get failure(): Error | undefined {
    return this.duplex.errored ?? undefined
  }

  // One that then broke has ended too: after FIN, RST leaves EPIPE to who writes next, and alone it leaves ECONNRESET.
  get hasEnded(): boolean {
    const { readableEnded, errored } = this.duplex
    return readableEnded && (!errored || (errored as NodeJS.ErrnoException).code === "EPIPE")
  }

  get isWritable(): boolean {
    return this.duplex.writable
  }

  get hasSentAll(): boolean {
    return this.duplex.writableFinished
  }

  get unsent(): number {
    return this.duplex.writableLength
  }

  // Not what `write` returns: that is false for every large chunk, even one that the kernel has taken whole.
  get isFull(): boolean {
    const waiting = this.duplex.writableLength
    return waiting > 0 && waiting > this.duplex.writableHighWaterMark
  }

  listen(receiver: Receiver): void {
    this.receiver = receiver
    this.mover = undefined
    this.to = undefined
    this.hear()
    if (this.isOver) setImmediate(() => receiver.closed())
  }

  relayTo(to: Transport, mover: Mover, most: number | undefined): void {
    this.receiver = undefined
    this.mover = mover
    this.to = to
    // Where little may pass at once, one read as usual would be too much.
    if (most !== undefined && most < ReadBuffer.fullRead) this.readInBulk(most)
    this.hear()
    this.duplex.on("drain", onDrain)
    if (this.duplex.readableEnded) mover.ended()
    if (this.isOver) setImmediate(() => mover.closed())
  }

  whenClosed(then: () => void): void {
    if (this.isOver) setImmediate(then)
    else this.duplex.once("close", then)
  }

  pause(): void {
    this.duplex.pause()
  }

  resume(): void {
    this.duplex.resume()
  }

  write(bytes: Uint8Array, then?: () => void): void {
    this.duplex.write(bytes, then)
  }

  writeAll(pieces: ReadonlyArray<Uint8Array>, then: () => void): void {
    this.duplex.cork()
    for (const [index, piece] of pieces.entries()) {
      this.duplex.write(piece, index === pieces.length - 1 ? then : undefined)
    }
    this.duplex.uncork()
  }

  end(then?: () => void): void {
    if (!this.duplex.writableEnded) this.duplex.end(then)
    else then?.()
  }

  close(): void {
    this.duplex.destroy()
  }

  reset(): void {
    const { duplex, carrier } = this
    if (duplex.destroyed) return
    // First, as destroying TLS would close what carries it in order.
    carrier?.reset()
    if (!carrier && isTcp(duplex) && duplex.remotePort !== undefined) duplex.resetAndDestroy()
    else duplex.destroy()
  }

  keepAlive(): void {
    if (this.carrier) this.carrier.keepAlive()
    else if (this.duplex instanceof Socket) this.duplex.setKeepAlive(true, 60_000)
  }

  rest(): void {
    this.bulk?.rest()
  }

  handOver(unread: Uint8Array): Duplex {
    const { duplex } = this
    this.receiver = undefined
    this.mover = undefined
    duplex.pause()
    duplex.off("data", onData).off("end", onEnd)
    if (unread.length > 0) duplex.unshift(unread)
    return duplex
  }

  /** Only now, as one that has a listener for data begins to read. */
  private hear(): void {
    if (this.isHeard) return
    this.isHeard = true
    this.duplex.on("end", onEnd).on("data", onData)
  }

  data(chunk: Buffer): void {
    if (this.mover !== undefined) this.pass(chunk)
    else if (this.receiver !== undefined) this.give(chunk)
  }

  ended(): void {
    probe(this.duplex)
    // Whether it was an end shows in the next turn.
    if (this.mover !== undefined) setImmediate(settled, this)
    else this.receiver?.ended()
  }

  /** What looked like an end was one. */
  settled(): void {
    if (this.hasEnded) this.mover?.ended()
  }

  drained(): void {
    this.mover?.drained()
  }

  closed(): void {
    if (this.isOver) return
    this.isOver = true
    if (this.mover !== undefined) this.mover.closed()
    else this.receiver?.closed()
  }

  private give(chunk: Buffer): void {
    const receiver = this.receiver!
    receiver.received(chunk)
    if (chunk.length < ReadBuffer.fullRead || this.isSharing || receiver.lent === undefined) return
    this.isSharing = ReadBuffer.readInto(
      this.duplex,
      () => shared,
      (bytes) => this.lend(bytes)
    )
  }

  /** Hands on what is in the shared buffer. */
  private lend(bytes: Buffer): boolean {
    const { receiver } = this
    // To who has the stream itself.
    if (receiver === undefined && this.mover === undefined) return this.duplex.push(Buffer.from(bytes))
    if (receiver?.lent) receiver.lent(bytes)
    else this.data(Buffer.from(bytes))
    return !this.duplex.isPaused()
  }

  /** Passes on what comes from here, until that is much. */
  private pass(chunk: Buffer): void {
    const to = this.to!
    const mover = this.mover!
    if (to.isClosed) {
      mover.missed()
      return
    }
    to.write(chunk)
    mover.moved(chunk.length)
    if (to.isFull) this.duplex.pause()
    if (chunk.length >= ReadBuffer.fullRead && this.bulk === undefined) this.readInBulk()
  }

  private readInBulk(most?: number): void {
    const to = this.to!
    const mover = this.mover!
    const deliver: BulkReader.Deliver = (chunk, written) => {
      if (to.isClosed) {
        mover.missed()
        return true
      }
      to.write(chunk)
      mover.moved(chunk.length)
      if (to.unsent === 0) return true
      to.write(nothing, written)
      return false
    }
    this.bulk = BulkReader.promote(this.duplex, deliver, most)
  }
}

const nothing = Buffer.alloc(0)

/** One for all connections, as what is read into it is used up, or copied, before the next read. */
const shared = Buffer.allocUnsafeSlow(ReadBuffer.fullRead)

/**
 * Brings to light whether an end was one. RST that arrives together with the
 * last bytes is an orderly end to Node 20; writing nothing to such a connection
 * breaks it, before the next turn of the event loop. Elsewhere it does nothing.
 */
const probe = (duplex: Duplex): void => {
  if (isTcp(duplex) && duplex.writable) duplex.write(nothing)
}

// Sockets in the file system have no address, and break at a write of nothing
// whenever the other side has closed.
const isTcp = (duplex: Duplex): duplex is Socket =>
  duplex instanceof Socket && !("encrypted" in duplex) && duplex.localAddress !== undefined

/** On the streams, so that their listeners are the same for all. */
const transports = (() => {
  const key = Symbol("transport")
  type Noted = Duplex & { [key]: NodeTransport }
  return {
    set: (duplex: Duplex, transport: NodeTransport) => {
      ;(duplex as Noted)[key] = transport
    },
    of: (duplex: Duplex): NodeTransport => (duplex as Noted)[key]
  }
})()

const ignored = (): void => {}

// Node calls these with the stream as `this`.

function onData(this: Duplex, chunk: Buffer): void {
  transports.of(this).data(chunk)
}

function onEnd(this: Duplex): void {
  transports.of(this).ended()
}

function onDrain(this: Duplex): void {
  transports.of(this).drained()
}

function onClose(this: Duplex): void {
  transports.of(this).closed()
}

const settled = (transport: NodeTransport): void => transport.settled()

const closed = (transport: NodeTransport): void => transport.closed()
