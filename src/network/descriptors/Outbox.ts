/**
 * Bytes that were written to a connection and that the system has not taken yet: those in a pipe, then those in memory.
 *
 * A connection has an outbox only while there are such bytes.
 */
import type { Pipe, Pipes } from "./Pipes.ts"
import { isFull, type System } from "./System.ts"

/** Calls `then` when the system has taken the bytes, or when the write has failed. */
interface Entry {
  readonly bytes: Uint8Array
  readonly then: (() => void) | undefined
}

export class Outbox {
  /** The number of all unsent bytes. */
  size = 0
  private readonly entries: Array<Entry> = []
  /** The bytes of the first entry that are sent. */
  private sent = 0
  private pipe: Pipe | undefined = undefined
  private inPipe = 0

  /** Takes bytes, which must not change until `then` is called. */
  add(bytes: Uint8Array, then: (() => void) | undefined): void {
    this.entries.push({ bytes, then })
    this.size += bytes.length
  }

  /** Takes a pipe with bytes. Nothing else may wait. */
  addPipe(pipe: Pipe, size: number): void {
    this.pipe = pipe
    this.inPipe = size
    this.size += size
  }

  /** Sends until all is sent, or the connection is full. Returns 0, or the negated error code. */
  flush(system: System, pipes: Pipes, fd: number): number {
    if (this.pipe !== undefined) {
      const result = this.flushPipe(system, pipes, this.pipe, fd)
      if (result !== 0) return result
    }
    // Not by an iterator: `then` may add entries.
    while (this.entries.length > 0) {
      const { bytes, then } = this.entries[0]!
      const result = send(system, fd, bytes, this.sent)
      if (result < 0) return result
      this.sent += result
      this.size -= result
      if (this.sent < bytes.length) continue
      this.sent = 0
      this.entries.shift()
      then?.()
    }
    return 0
  }

  /** Drops all bytes, and calls their `then`. */
  drop(pipes: Pipes): void {
    if (this.pipe !== undefined) pipes.close(this.pipe)
    this.pipe = undefined
    this.size = 0
    for (const { then } of this.entries.splice(0)) then?.()
  }

  /** Gives the bytes in memory to another writer. */
  moveTo(write: (bytes: Uint8Array, then: (() => void) | undefined) => void): void {
    for (const { bytes, then } of this.entries.splice(0)) {
      write(bytes.subarray(this.sent), then)
      this.sent = 0
    }
    this.size = 0
  }

  private flushPipe(system: System, pipes: Pipes, pipe: Pipe, fd: number): number {
    while (this.inPipe > 0) {
      const moved = system.splice(pipe.reader, fd, this.inPipe)
      if (moved < 0) return moved
      this.inPipe -= moved
      this.size -= moved
    }
    this.pipe = undefined
    pipes.giveBack(pipe)
    return 0
  }
}

/** Sends the bytes from this index. Returns the number of sent bytes, or the negated error code if none was sent. */
export const send = (system: System, fd: number, bytes: Uint8Array, from: number): number => {
  const { output } = system.memory
  let at = from
  while (at < bytes.length) {
    const size = Math.min(output.size, bytes.length - at)
    output.bytes.set(size === bytes.length ? bytes : bytes.subarray(at, at + size))
    const sent = system.sendOutput(fd, size)
    if (sent < 0) return at > from && isFull(sent) ? at - from : sent
    at += sent
    if (sent < size) break
  }
  return at - from
}
