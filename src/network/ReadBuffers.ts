/**
 * The buffers that the sockets of a server are read into.
 *
 * All sockets are read into the same memory. What was read is used up, or copied,
 * before the next read. A fast socket gets a large buffer of its own, as long as there
 * are some, and what was read stays in that until it is written.
 */
import { Slabs } from "../base/Slabs.ts"

/** Bytes that one read brings at most: so much may wait of a connection whose other side is slow. */
export const readSize = 16 * 1024

/** A buffer of this size takes in one read what a fast sender has sent since the last. */
export const largeSize = 256 * 1024

/** With thousands of them, all large ones would be gigabytes. */
const mostLarge = 64

/** So many full reads in a row make a socket a fast one. */
const fullReads = 4

/** So many short reads in a row, of fewer bytes than this, make it a slow one again. */
const shortReads = 8
const shortRead = 4 * 1024

/** Milliseconds after which memory is let go that nothing uses any more. */
const idle = 5000

export class ReadBuffers {
  /** For what is used up at once. */
  readonly whole: Buffer = Buffer.allocUnsafeSlow(4 * readSize)
  /** For what is copied. */
  readonly shared: Buffer = this.whole.subarray(0, readSize)
  private readonly blocks = new Slabs(readSize)
  private readonly large = new Slabs(largeSize, mostLarge)
  /** The next copy goes here. */
  private block: Buffer | undefined
  private timer: NodeJS.Timeout | undefined

  forSocket(): SocketBuffer {
    return new SocketBuffer(this)
  }

  /** Copies at most `readSize` bytes to where the last copy was, unless that is kept. */
  copy(bytes: Buffer): Buffer {
    this.block ??= this.blocks.take()!
    this.block.set(bytes)
    return this.block.subarray(0, bytes.length)
  }

  /** Keeps the last copy, until what is returned is called. */
  keep(): () => void {
    const block = this.block!
    this.block = undefined
    return () => {
      this.blocks.giveBack(block)
      this.releaseSoon()
    }
  }

  /** Undefined if all of them are in use. */
  takeLarge(): Buffer | undefined {
    return this.large.take()
  }

  giveBackLarge(buffer: Buffer): void {
    this.large.giveBack(buffer)
    this.releaseSoon()
  }

  private releaseSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      if (this.block) this.blocks.giveBack(this.block)
      this.block = undefined
      this.blocks.release()
      this.large.release()
    }, idle).unref()
  }
}

/** Which buffer one socket is read into. */
export class SocketBuffer {
  /** The one for the next read. */
  into: Buffer
  private readonly buffers: ReadBuffers
  private large: Buffer | undefined = undefined
  private most = largeSize
  /** Full reads in a row, or short ones where the buffer is a large one. */
  private inRow = 0

  constructor(buffers: ReadBuffers) {
    this.buffers = buffers
    this.into = buffers.shared
  }

  /** No other socket is read into it, so that what was read need not be copied. */
  get isLarge(): boolean {
    return this.large !== undefined
  }

  /** Has each read bring at most so many bytes. Returns whether that is another buffer for the next one. */
  limit(most: number): boolean {
    this.most = Math.min(most, largeSize)
    if (this.into.length <= most) return false
    this.into = this.into.subarray(0, most)
    return true
  }

  /** Copies what was read into the shared buffer, so that it can be written. */
  copy(bytes: Buffer): Buffer {
    return this.buffers.copy(bytes)
  }

  /** Keeps what was read last. What is returned, if anything, is to be called when that is written. */
  keep(): (() => void) | undefined {
    return this.large ? undefined : this.buffers.keep()
  }

  /** Chooses the buffer for the next read by what the last one brought. */
  fit(count: number): void {
    const isInRow = this.large ? count < shortRead : count === readSize
    this.inRow = isInRow ? this.inRow + 1 : 0
    if (this.large) {
      if (this.inRow === shortReads) this.release()
    } else if (this.inRow >= fullReads) this.grow()
    else if (this.into.length > readSize) this.into = this.buffers.shared
  }

  /** The same, where what is read is used up at once. */
  fitWhole(count: number): void {
    if (count === this.into.length) this.into = this.buffers.whole
  }

  /** Goes back to the shared buffer. */
  release(): void {
    if (this.large === undefined) return
    this.buffers.giveBackLarge(this.large)
    this.large = undefined
    this.into = this.buffers.shared
    this.inRow = 0
  }

  private grow(): void {
    this.large = this.buffers.takeLarge()
    if (this.large === undefined) return
    this.into = this.large.subarray(0, this.most)
    this.inRow = 0
  }
}
