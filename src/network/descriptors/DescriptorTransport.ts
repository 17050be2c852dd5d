/**
 * A connection on a descriptor: TCP, or a Unix-domain socket.
 *
 * Reading and writing are system calls right away. The poller tells when a connection is ready for more. A relay
 * between two descriptors copies small pieces, and splices the bytes of a fast connection inside the kernel.
 */
import { Socket } from "node:net"
import type { Duplex } from "node:stream"
import type * as NetAddress from "effect/net/NetAddress"
import * as NodeTransport from "../NodeTransport.ts"
import type { Mover, Receiver, Transport } from "../Transport.ts"
import { Outbox, send } from "./Outbox.ts"
import { type Pipes, pipeSize } from "./Pipes.ts"
import type { Poller, Watched } from "./Poller.ts"
import * as SocketAddress from "./SocketAddress.ts"
import { again, inProgress, isFull, isRefused, nameOf, noBuffer, Ready, type System } from "./System.ts"

/** What the connections of a process share. */
export interface Loop {
  readonly system: System
  readonly poller: Poller
  readonly pipes: Pipes
  /** Logs an exception that has ended a connection. */
  readonly report: (defect: unknown) => void
}

/** The outcome of an attempt to connect: the local address, or the system's error code. */
type Connected = (outcome: NetAddress.InetAddress | string) => void

/** The most pieces that a connection passes on before others have their turn. */
const mostPieces = 2

/** Bytes of a piece that a receiver keeps. */
const keptSize = 16 * 1024

/** Above so many unsent bytes a connection is full. */
const highWaterMark = 64 * 1024

/** Milliseconds until a write is tried again for which the system had no buffer: no event tells that it has. */
const bufferPause = 10

/** Seconds of silence before the first probe, seconds between two probes, and probes without an answer. */
const probes = { idle: 60, interval: 10, count: 6 }

export class DescriptorTransport implements Transport, Watched {
  /** -1 when the descriptor is closed or handed over. */
  fd: number
  generation = 0
  isQueued = false
  hasEnded = false
  failure: Error | undefined = undefined
  hasSentAll = false
  private readonly loop: Loop
  private readonly isTcp: boolean
  private receiver: Receiver | undefined = undefined
  private mover: Mover | undefined = undefined
  private to: Transport | undefined = undefined
  /** Called when a write has failed, after which reading goes on. */
  private writeFailed: ((error: Error) => void) | undefined = undefined
  /** The most bytes of one piece, for a bandwidth limit. */
  private most = Number.POSITIVE_INFINITY
  private outbox: Outbox | undefined = undefined
  private connected: Connected | undefined = undefined
  private closings: Array<() => void> | undefined = undefined
  /** The connection as Node has it after `handOver`. */
  private successor: Transport | undefined = undefined
  private isPaused = true
  /** Whether there may be bytes to read: an event is reported only once. */
  private mayRead = false
  private mayWrite: boolean
  /** Whether an event told of an end or an error, which a read finds behind the last bytes. */
  private isHungUp = false
  /** Whether the last piece was as large as possible. */
  private isFast = false
  private isEnding = false
  private isSettled = false

  /** An accepted connection may be written to; a new one not before it is connected. */
  constructor(loop: Loop, fd: number, isTcp: boolean, isConnected: boolean) {
    this.loop = loop
    this.fd = fd
    this.isTcp = isTcp
    this.mayWrite = isConnected
  }

  /** Begins to connect. Calls `done` once, in a later turn. */
  connect(address: NetAddress.IpAddress, port: number, done: Connected): void {
    const { system, poller } = this.loop
    this.connected = done
    system.noDelay(this.fd)
    const result = system.connect(this.fd, address, port)
    const failed = result < 0 && result !== inProgress ? result : poller.watch(this)
    if (failed < 0) this.fail(failed, "connect")
  }

  get isClosed(): boolean {
    return this.successor === undefined ? this.fd < 0 : this.successor.isClosed
  }

  get isWritable(): boolean {
    return this.fd >= 0 && !this.isEnding
  }

  get unsent(): number {
    return this.outbox === undefined ? 0 : this.outbox.size
  }

  get largestMove(): number {
    return pipeSize
  }

  get isFull(): boolean {
    return this.outbox !== undefined && this.outbox.size > highWaterMark
  }

  listen(receiver: Receiver): void {
    this.receiver = receiver
    this.mover = undefined
    this.to = undefined
    if (this.isSettled) setImmediate(() => receiver.closed())
  }

  relayTo(to: Transport, mover: Mover, most = Number.POSITIVE_INFINITY): void {
    this.receiver = undefined
    this.mover = mover
    this.to = to
    this.most = most
    if (this.hasEnded) mover.ended()
    if (this.isSettled) setImmediate(() => mover.closed())
  }

  whenClosed(then: () => void): void {
    if (this.successor !== undefined) this.successor.whenClosed(then)
    else if (this.isSettled) setImmediate(then)
    else if (this.closings === undefined) this.closings = [then]
    else this.closings.push(then)
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    // Not at once: a receiver is not called before this returns.
    if (this.mayRead && this.fd >= 0) this.loop.poller.enqueue(this)
  }

  write(bytes: Uint8Array, then?: () => void): void {
    const done = this.sendNow(bytes)
    if (done === bytes.length) then?.()
    else {
      this.outbox ??= new Outbox()
      this.outbox.add(done > 0 ? bytes.subarray(done) : bytes, then)
    }
  }

  writeAll(pieces: ReadonlyArray<Uint8Array>, then: () => void): void {
    this.write(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces), then)
  }

  end(then?: () => void): void {
    if (this.isWritable) {
      this.isEnding = true
      if (this.outbox === undefined) this.finish()
      else this.outbox.add(nothing, () => this.finish())
    }
    // Behind the FIN.
    if (this.outbox === undefined || then === undefined) then?.()
    else this.outbox.add(nothing, then)
  }

  close(): void {
    if (this.successor !== undefined) this.successor.close()
    else if (this.fd >= 0) this.shut(false)
  }

  reset(): void {
    if (this.successor !== undefined) this.successor.reset()
    else if (this.fd >= 0) this.shut(this.isTcp)
  }

  keepReading(failed: (error: Error) => void): void {
    this.writeFailed = failed
  }

  keepAlive(): void {
    if (this.successor !== undefined) this.successor.keepAlive()
    else if (this.isTcp && this.fd >= 0) {
      this.loop.system.keepAlive(this.fd, probes.idle, probes.interval, probes.count)
    }
  }

  /** All connections are read into the same memory. */
  rest(): void {}

  handOver(unread: Uint8Array): Duplex {
    const { fd } = this
    if (fd < 0) return new Socket().destroy()
    // Before Node has the descriptor: what is watched is the socket behind it, not the number.
    this.loop.poller.release(this)
    this.fd = -1
    this.receiver = undefined
    this.mover = undefined
    const successor = NodeTransport.make(
      new Socket({ fd, readable: true, writable: true, allowHalfOpen: true })
    )
    this.successor = successor
    this.outbox?.moveTo((bytes, then) => successor.write(bytes, then))
    this.outbox = undefined
    for (const then of this.closings ?? []) successor.whenClosed(then)
    this.closings = undefined
    return successor.handOver(unread)
  }

  onEvents(events: number): void {
    if (events & (Ready.ended | Ready.hungUp | Ready.error)) this.isHungUp = true
    if (this.connected !== undefined) this.settleConnect(this.connected, events)
    if (events & (Ready.output | Ready.error | Ready.hungUp)) {
      this.mayWrite = true
      if (this.outbox !== undefined) this.flush(this.outbox)
    }
    if (this.fd < 0) return
    if (events & Ready.error && this.hasEnded) {
      const error = this.loop.system.pendingError(this.fd)
      // A failed write has taken the error.
      if (error === 0) this.shut(false)
      else this.fail(error, "read")
      return
    }
    if (events & (Ready.input | Ready.ended | Ready.hungUp | Ready.error)) {
      this.mayRead = true
      // Large pieces wait until the small ones of this round are through.
      if (this.isFast) this.loop.poller.enqueue(this)
      else this.run()
    }
  }

  run(): void {
    if (this.fd < 0) {
      this.settle()
      return
    }
    for (let piece = 0; piece < mostPieces; piece++) {
      if (!this.mayRead || this.isPaused || this.hasEnded || this.fd < 0) return
      if (this.mover !== undefined) {
        if (!this.move(this.mover, this.to!)) return
      } else if (this.receiver !== undefined) this.deliver(this.receiver)
      else return
    }
    this.loop.poller.enqueue(this)
  }

  crashed(defect: unknown): void {
    this.loop.report(defect)
    this.reset()
  }

  stopped(): void {
    this.reset()
  }

  /** Sends what the system takes now. Returns the number of bytes that need not wait: all, if nothing can be sent. */
  private sendNow(bytes: Uint8Array): number {
    if (!this.isWritable) return bytes.length
    if (this.outbox !== undefined || !this.mayWrite) return -1
    const sent = send(this.loop.system, this.fd, bytes, 0)
    if (sent < 0 && !isFull(sent)) {
      this.fail(sent, "write")
      return bytes.length
    }
    if (sent < bytes.length) this.full(sent)
    return sent
  }

  private settleConnect(done: Connected, events: number): void {
    const { system } = this.loop
    if (events & (Ready.error | Ready.hungUp)) {
      const code = system.pendingError(this.fd)
      if (code < 0) {
        this.fail(code, "connect")
        return
      }
    }
    this.connected = undefined
    const result = system.localAddress(this.fd)
    done(result < 0 ? "ECONNRESET" : SocketAddress.read(system.memory.address))
  }

  private deliver(receiver: Receiver): void {
    const { system } = this.loop
    const isLent = receiver.lent !== undefined
    const size = isLent ? system.memory.input.size : keptSize
    const count = this.read(size)
    if (count <= 0) return
    const bytes = system.memory.input.bytes.subarray(0, count)
    if (isLent) receiver.lent!(bytes)
    else receiver.received(Buffer.from(bytes))
  }

  /** Passes a piece on. Returns whether to go on. */
  private move(mover: Mover, to: Transport): boolean {
    if (to instanceof DescriptorTransport && to.successor === undefined && !to.isClosed) {
      // Its `drained` goes on.
      if (to.outbox !== undefined) return false
      return this.isFast ? this.splice(mover, to) : this.copy(mover, to)
    }
    const { input } = this.loop.system.memory
    const count = this.read(Math.min(this.most, keptSize))
    if (count <= 0) return this.mayRead
    if (to.isClosed) mover.missed()
    else {
      to.write(Buffer.from(input.bytes.subarray(0, count)))
      mover.moved(count)
      if (to.isFull) this.isPaused = true
    }
    return true
  }

  private copy(mover: Mover, to: DescriptorTransport): boolean {
    const { system } = this.loop
    const { input } = system.memory
    const size = Math.min(this.most, input.size)
    const count = this.read(size)
    if (count <= 0) return this.mayRead
    this.isFast = count === input.size
    const sent = to.mayWrite ? system.sendInput(to.fd, count) : again
    if (sent < 0 && !isFull(sent)) {
      mover.missed()
      to.fail(sent, "write")
      return true
    }
    if (sent < count) {
      to.outbox = new Outbox()
      to.outbox.add(Buffer.from(input.bytes.subarray(Math.max(sent, 0), count)), undefined)
      to.full(sent)
    }
    mover.moved(count)
    return true
  }

  private splice(mover: Mover, to: DescriptorTransport): boolean {
    const { system, pipes } = this.loop
    const pipe = pipes.take()
    this.isFast = pipe !== undefined
    if (pipe === undefined) return true
    const count = system.splice(this.fd, pipe.writer, Math.min(this.most, pipeSize))
    if (count <= 0) {
      pipes.giveBack(pipe)
      if (isRefused(count)) pipes.isRefused = true
      else this.took(count, 0)
      return this.mayRead
    }
    this.isFast = count >= keptSize
    const sent = system.splice(pipe.reader, to.fd, count)
    if (sent === count) pipes.giveBack(pipe)
    else if (sent < 0 && !isFull(sent)) {
      pipes.close(pipe)
      mover.missed()
      to.fail(sent, "write")
      return true
    } else {
      to.outbox = new Outbox()
      to.outbox.addPipe(pipe, count - Math.max(sent, 0))
      to.full(sent)
    }
    mover.moved(count)
    return true
  }

  /** Reads into the input region. */
  private read(size: number): number {
    const count = this.loop.system.read(this.fd, size)
    this.took(count, size)
    return count
  }

  /** Notes what the result of a read says about the next one. */
  private took(count: number, size: number): void {
    if (count > 0) {
      // Less than asked for is all there is, unless the end is behind.
      if (count < size && !this.isHungUp) this.mayRead = false
      return
    }
    this.mayRead = false
    if (count === 0) this.ended()
    else if (count !== again) this.fail(count, "read")
  }

  private ended(): void {
    this.hasEnded = true
    if (this.mover !== undefined) this.mover.ended()
    else this.receiver?.ended()
    if (this.hasSentAll && this.fd >= 0) this.shut(false)
  }

  private flush(outbox: Outbox): void {
    const { system, pipes } = this.loop
    const result = outbox.flush(system, pipes, this.fd)
    // A callback of the outbox has closed the connection.
    if (this.fd < 0) return
    if (result === 0) {
      this.outbox = undefined
      this.mover?.drained()
    } else if (isFull(result)) this.full(result)
    else this.fail(result, "write")
  }

  /** The system takes no more bytes now. */
  private full(result: number): void {
    this.mayWrite = false
    if (result !== noBuffer) return
    setTimeout(() => {
      this.mayWrite = true
      if (this.outbox !== undefined && this.fd >= 0) this.flush(this.outbox)
    }, bufferPause)
  }

  /** Sends FIN. With FINs of both sides the connection is over. */
  private finish(): void {
    this.hasSentAll = true
    // Closing sends the FIN, too, if no byte is unread.
    if (this.hasEnded) this.shut(false)
    else this.loop.system.shutdown(this.fd)
  }

  /** The connection has broken, or could not be made. */
  private fail(result: number, syscall: string): void {
    if (this.fd < 0) return
    const code = nameOf(result)
    const error = Object.assign(new Error(`${syscall} ${code}`), { code, syscall })
    const { connected, writeFailed } = this
    if (syscall === "write" && writeFailed !== undefined) {
      this.endWriting()
      writeFailed(error)
      return
    }
    this.failure = error
    this.shut(false)
    if (connected !== undefined) setImmediate(() => connected(code))
  }

  /** Drops what is unsent, and takes no more. */
  private endWriting(): void {
    const { outbox } = this
    this.isEnding = true
    this.outbox = undefined
    outbox?.drop(this.loop.pipes)
  }

  private shut(withReset: boolean): void {
    const { poller, system, pipes } = this.loop
    poller.forget(this)
    if (withReset) system.reset(this.fd)
    else system.close(this.fd)
    this.fd = -1
    this.connected = undefined
    const { outbox } = this
    this.outbox = undefined
    poller.enqueue(this)
    outbox?.drop(pipes)
  }

  /** Says once that the connection is closed. */
  private settle(): void {
    if (this.isSettled || this.successor !== undefined) return
    this.isSettled = true
    if (this.mover !== undefined) this.mover.closed()
    else this.receiver?.closed()
    const { closings } = this
    this.closings = undefined
    for (const then of closings ?? []) then()
  }
}

const nothing = new Uint8Array(0)
