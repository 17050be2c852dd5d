/**
 * Reading a fast connection into a buffer of its own, which is used again as soon
 * as what was read is written.
 */
import type { Duplex } from "node:stream"
import * as ReadBuffer from "./ReadBuffer.ts"

/** A buffer of this size takes in one read what a fast sender has sent since the last. */
export const largeSize = 256 * 1024

/** What a reader has that gets no large buffer: with thousands of them, all large ones would be gigabytes. */
const mediumSize = 16 * 1024

const smallSize = 4 * 1024

/** Short reads in a row after which a reader goes back to a small buffer. */
const quiet = 8

/** Times that one reader rests: each leaves a few bytes with its connection. */
const mostRests = 1000

/**
 * Takes a chunk. Returns whether it is written already; if not, calls `written`
 * when it is, and until then its bytes must not change.
 */
export type Deliver = (chunk: Buffer, written: () => void) => boolean

/**
 * Has a socket deliver what it reads, at most `size` bytes at once, in place of its
 * `data` events. Nothing happens, and nothing is returned, with other kinds of streams.
 */
export const promote = (socket: Duplex, deliver: Deliver, size = largeSize): BulkReader | undefined => {
  const reader = new BulkReader(socket, size)
  return reader.start(deliver) ? reader : undefined
}

export class BulkReader {
  private readonly socket: Duplex
  private readonly size: number
  private buffer: Buffer
  private shortReads = 0
  private rests = 0
  private isWriting = false

  constructor(socket: Duplex, size: number) {
    this.socket = socket
    this.size = size
    this.buffer = size < largeSize ? Buffer.allocUnsafeSlow(size) : grown()
  }

  start(deliver: Deliver): boolean {
    const written = () => {
      this.isWriting = false
      // Nor does whoever paused it want more yet.
      if (!this.socket.isPaused()) this.socket.resume()
    }
    const isStarted = ReadBuffer.readInto(
      this.socket,
      () => this.buffer,
      (chunk) => {
        this.isWriting = !deliver(chunk, written)
        if (this.isWriting) return false
        this.fit(chunk.length)
        return true
      }
    )
    if (isStarted) this.socket.once("close", () => this.giveUp())
    else this.giveUp()
    return isStarted
  }

  /** Gives up the buffer for a small one, if nothing is read now. */
  rest(): void {
    const { socket, buffer } = this
    if (this.isWriting || this.size < largeSize || buffer.length <= smallSize) return
    if (socket.destroyed || this.rests === mostRests) return
    this.rests++
    this.shrink()
    ReadBuffer.replace(socket, this.buffer)
  }

  private fit(count: number): void {
    if (this.size < largeSize) return
    const { length } = this.buffer
    this.shortReads = count < smallSize ? this.shortReads + 1 : 0
    if (length < largeSize && count === length) {
      this.buffer = length === smallSize ? grown() : (takeLarge() ?? this.buffer)
    } else if (length > smallSize && this.shortReads >= quiet) this.shrink()
  }

  private shrink(): void {
    if (this.buffer.length === largeSize) giveBack(this.buffer)
    this.buffer = Buffer.allocUnsafeSlow(smallSize)
  }

  private giveUp(): void {
    if (this.buffer.length !== largeSize) return
    // One that a write has not finished with goes to the collector.
    if (this.isWriting) largeCount--
    else giveBack(this.buffer)
  }
}

/** Large buffers that no reader uses. */
const free: Array<Buffer> = []

/** All large buffers, and the most that there may be: 16 MiB. */
let largeCount = 0
const mostLarge = 64

/** Nothing if all are in use. */
const takeLarge = (): Buffer | undefined => {
  const known = free.pop()
  if (known !== undefined || largeCount === mostLarge) return known
  largeCount++
  return Buffer.allocUnsafeSlow(largeSize)
}

const grown = (): Buffer => takeLarge() ?? Buffer.allocUnsafeSlow(mediumSize)

const giveBack = (buffer: Buffer): void => void free.push(buffer)
