/**
 * A connection on one of Node's streams: a socket, TLS on one, or a pair in memory.
 *
 * **When to use**
 *
 * Use `NodeTransport.make(stream)` in a `Dialer` of your own, and for `Connection.handle`.
 *
 * **Example** (A transport of a stream)
 *
 * ```ts
 * import { Duplex } from "node:stream"
 * import { NodeTransport } from "effect-socks"
 *
 * const transportOf = (stream: Duplex) => NodeTransport.make(stream)
 * ```
 */
import { Socket } from "node:net"
import { Duplex } from "node:stream"
import * as NodeInternals from "./NodeInternals.ts"
import { largeSize, type ReadBuffers, readSize, type SocketBuffer } from "./ReadBuffers.ts"
import type { Mover, Receiver, Transport } from "./Transport.ts"

export interface Options {
  /** The connection that carries the stream's bytes, such as TCP those of TLS: that is what is reset. */
  readonly carrier?: Transport
  /** What a socket is read into. Without these it gets those of the transport that it is relayed to. */
  readonly buffers?: ReadBuffers
}

/** Takes a stream over, and hears its errors. */
export const make = (duplex: Duplex, options: Options = {}): Transport => {
  // Servers may hand over their connections paused, as Effect's do.
  if (duplex.readableFlowing === false) duplex.on("newListener", resumeForData)
  return new NodeTransport(duplex, options)
}

function resumeForData(this: Duplex, event: string | symbol): void {
  if (event === "data") this.off("newListener", resumeForData).resume()
}

/** A transport of a stream. Made by `make`, or by a class of streams that end in a way of their own. */
export class NodeTransport implements Transport {
  readonly duplex: Duplex
  private readonly carrier: Transport | undefined
  private receiver: Receiver | undefined = undefined
  private mover: Mover | undefined = undefined
  /** Where what comes from here goes, while there is a mover. */
  private to: Transport | undefined = undefined
  private buffers: ReadBuffers | undefined = undefined
  /** What it is read into, where that can be chosen. */
  private buffer: SocketBuffer | undefined = undefined
  private isHeard = false
  private isRelayed = false
  private isOver = false
  private isPaused = false
  /** What was read last is not written yet: until then, nothing is read. */
  private isWriting = false
  private rests = 0

  constructor(duplex: Duplex, { carrier, buffers }: Options) {
    this.duplex = duplex
    this.carrier = carrier
    transports.set(duplex, this)
    duplex.on("error", ignored).on("close", onClose)
    if (buffers) this.use(buffers)
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

  get largestMove(): number | undefined {
    return isSocket(this) && !("encrypted" in this.duplex) ? largeSize : undefined
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
    // A large buffer is for a relay.
    this.rest()
    this.hear()
    if (this.isOver) setImmediate(() => receiver.closed())
  }

  relayTo(to: Transport, mover: Mover, most: number | undefined): void {
    this.receiver = undefined
    this.mover = mover
    this.to = to
    if (this.buffers === undefined && to instanceof NodeTransport && to.buffers) this.use(to.buffers)
    if (most !== undefined && this.buffer?.limit(most)) this.replace(this.buffer)
    this.hear()
    if (!this.isRelayed) this.duplex.on("drain", onDrain)
    this.isRelayed = true
    if (this.duplex.readableEnded) mover.ended()
    if (this.isOver) setImmediate(() => mover.closed())
  }

  whenClosed(then: () => void): void {
    if (this.isOver) setImmediate(then)
    else this.duplex.once("close", then)
  }

  pause(): void {
    this.isPaused = true
    // Most receivers go on before anything comes. Stopping the socket and starting it again takes two system calls, so
    // only the stream is stopped. It takes what comes up to its high-water mark, and then stops the socket.
    if (this.buffer && this.mover === undefined) Duplex.prototype.pause.call(this.duplex)
    else this.duplex.pause()
  }

  resume(): void {
    this.isPaused = false
    if (!this.isWriting) this.duplex.resume()
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

  keepReading(failed: (error: Error) => void): void {
    // TLS and streams in memory end both ways at once.
    if (isTcp(this.duplex)) NodeInternals.keepReading(this.duplex, failed)
  }

  keepAlive(): void {
    if (this.carrier) this.carrier.keepAlive()
    else if (this.duplex instanceof Socket) this.duplex.setKeepAlive(true, 60_000)
  }

  rest(): void {
    const { buffer } = this
    if (!buffer?.isLarge || this.isWriting || this.rests === mostRests) return
    this.rests++
    buffer.release()
    this.replace(buffer)
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
    else this.receiver?.received(chunk)
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
    if (!this.isWriting) this.buffer?.release()
    if (this.mover !== undefined) this.mover.closed()
    else this.receiver?.closed()
  }

  /** Takes what was read into a buffer that is used again. Returns whether to read on. */
  read(count: number, from: Buffer): boolean {
    const { duplex, receiver, mover, buffer } = this
    const bytes = from.subarray(0, count)
    // The stream was handed over, or holds bytes that were read before these.
    if ((receiver ?? mover) === undefined || duplex.readableLength > 0) return duplex.push(Buffer.from(bytes))
    if (this.isPaused && duplex.isPaused()) {
      duplex.push(Buffer.from(bytes))
      return false
    }
    if (mover !== undefined) this.passRead(bytes, buffer!)
    else if (receiver!.lent !== undefined) {
      buffer!.fitWhole(count)
      receiver!.lent(bytes)
    } else receiver!.received(Buffer.from(bytes))
    return !this.isWriting
  }

  next(): Buffer {
    return this.buffer!.into
  }

  /** Passes on what was read into a buffer that is used again. */
  private passRead(bytes: Buffer, buffer: SocketBuffer): void {
    const { to, duplex } = this
    if (this.isWriting && buffer.isLarge) {
      // Bytes that were yet to be written have been overwritten.
      duplex.destroy(new Error("read too early"))
      return
    }
    if (!isSocket(to!)) {
      this.pass(Buffer.from(bytes))
      return
    }
    // TLS has bytes unsent after every write: to wait for each would be slow.
    if (!buffer.isLarge && ("encrypted" in to.duplex || bytes.length > readSize)) {
      this.pass(Buffer.from(bytes))
      buffer.fit(bytes.length)
      return
    }
    if (to.isClosed) {
      this.mover!.missed()
      return
    }
    // A write that fails may end the relay.
    const mover = this.mover!
    to.write(buffer.isLarge ? bytes : buffer.copy(bytes))
    mover.moved(bytes.length)
    if (to.unsent > 0) this.waitUntilWritten(to, buffer)
    else buffer.fit(bytes.length)
  }

  /** Reads no more until what was read last is written. */
  private waitUntilWritten(to: Transport, buffer: SocketBuffer): void {
    const giveBack = buffer.keep()
    this.isWriting = true
    to.write(nothing, () => {
      this.isWriting = false
      giveBack?.()
      if (this.isOver) buffer.release()
      else {
        if (this.mover === undefined) this.rest()
        if (!this.isPaused) this.duplex.resume()
      }
    })
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
  }

  private use(buffers: ReadBuffers): void {
    this.buffers = buffers
    const buffer = buffers.forSocket()
    if (this.replace(buffer)) this.buffer = buffer
  }

  private replace({ into }: SocketBuffer): boolean {
    return NodeInternals.readInto(this.duplex, into, onRead, next)
  }
}

/** Times that one connection rests: each leaves a few bytes with its socket. */
const mostRests = 1000

const nothing = Buffer.alloc(0)

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

/**
 * A socket has taken all bytes, and needs them no longer, when none are unsent. A stream
 * in memory may hand on the same bytes, and call them written.
 */
const isSocket = (to: Transport): to is NodeTransport =>
  to instanceof NodeTransport && to.duplex instanceof Socket

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

function onRead(this: Duplex, count: number, buffer: Buffer): boolean {
  const transport = transports.of(this)
  const readsOn = transport.read(count, buffer)
  upcoming = transport.next()
  return readsOn
}

/** Asked for by Node right after it has delivered what it read. */
const next = (): Buffer => {
  const buffer = upcoming!
  upcoming = undefined
  return buffer
}

let upcoming: Buffer | undefined

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
