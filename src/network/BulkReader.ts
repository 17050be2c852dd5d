/**
 * Reading a fast connection.
 *
 * By default Node makes a 64 KiB Buffer for each read, and a proxy that moves
 * gigabytes spends most of its time on making and collecting them. Its `onread`
 * option reads into a buffer that is given instead, and used again as soon as
 * the chunk is written. It exists at a socket's creation only, and is dear for
 * the many sessions that never move much, so a socket gets it by being replaced,
 * when a read has come back full.
 */
import { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { makeAttachment } from "./Streams.ts"

/** A read of this size was a full one. */
export const fullRead = 64 * 1024

/** A buffer of this size takes in one read what a fast sender has sent since the last. */
export const largeSize = 256 * 1024

/**
 * Takes a chunk. Returns whether it is written already; if not, calls `written`
 * when it is, and until then its bytes must not change.
 */
export type Deliver = (chunk: Buffer, written: () => void) => boolean

/**
 * Moves the connection of `socket` to a new socket, paused, that delivers what it
 * reads, at most `size` bytes at once, and has no `data` event. `socket` is closed
 * without its connection. Nothing happens, and nothing is returned, where this cannot be
 * done: other kinds of streams, ends that are closing, writes under way.
 */
export const promote = (socket: Duplex, deliver: Deliver, size = largeSize): Socket | undefined => {
  if (!(socket instanceof Socket) || "encrypted" in socket) return undefined
  const inner = socket as unknown as Internals
  const handle = inner._handle
  if (!handle || socket.destroyed || inner._readableState.ended) return undefined
  if (socket.writableEnded || socket.writableLength > 0) return undefined

  handle.readStop()
  handle.reading = false
  inner._handle = null
  // First of all its listeners: `read` would give them what it returns.
  socket.removeAllListeners()
  socket.on("error", () => {})
  for (let rest = socket.read(); rest !== null; rest = socket.read()) deliver(rest, () => {})
  socket.destroy()
  return makeReader(handle, deliver, size)
}

/** What Node does not document of its sockets, and has had unchanged since version 12. */
interface Internals {
  _handle: Handle | null
  readonly _readableState: { readonly ended: boolean }
}

interface Handle {
  reading: boolean
  readStop(): void
  useUserBuffer(buffer: Buffer): void
}

/** What a reader has that gets no large buffer: with thousands of them, all large ones would be gigabytes. */
const mediumSize = 16 * 1024

const smallSize = 4 * 1024

/** Short reads in a row after which a reader goes back to a small buffer. */
const quiet = 8

/** Has a reader that reads nothing now give up its buffer for a small one. Nothing happens with other streams. */
export const rest = (reader: Duplex): void => resting.of(reader)?.()

const resting = makeAttachment<(() => void) | undefined>()

/** Times that one reader does so: each leaves a few bytes with its connection. */
const mostRests = 1000

const makeReader = (handle: Handle, deliver: Deliver, size: number): Socket => {
  let buffer = size < largeSize ? Buffer.allocUnsafeSlow(size) : grown()
  let shortReads = 0
  let rests = 0
  let isWriting = false

  const written = () => {
    isWriting = false
    // Nor does whoever paused it want more yet.
    if (!reader.isPaused()) reader.resume()
  }
  const reader = new Socket({
    handle,
    allowHalfOpen: true,
    manualStart: true,
    pauseOnCreate: true,
    onread: {
      buffer: () => buffer,
      callback: (count: number) => {
        isWriting = !deliver(buffer.subarray(0, count), written)
        if (isWriting) return false
        buffer = fitting(count)
        return true
      }
    }
  } as ConstructorParameters<typeof Socket>[0])

  const fitting = (count: number): Buffer => {
    if (size < largeSize) return buffer
    shortReads = count < smallSize ? shortReads + 1 : 0
    if (buffer.length < largeSize && count === buffer.length) {
      return buffer.length === smallSize ? grown() : (takeLarge() ?? buffer)
    }
    return buffer.length > smallSize && shortReads >= quiet ? shrunk() : buffer
  }

  const shrunk = (): Buffer => {
    if (buffer.length === largeSize) giveBack(buffer)
    return Buffer.allocUnsafeSlow(smallSize)
  }

  resting.set(reader, () => {
    if (isWriting || size < largeSize || buffer.length <= smallSize || rests === mostRests) return
    if (reader.destroyed || current === undefined) return
    rests++
    buffer = shrunk()
    ;(reader as unknown as Record<symbol, Buffer>)[current] = buffer
    handle.useUserBuffer(buffer)
  })

  reader.on("error", () => {})
  reader.once("close", () => {
    if (buffer.length !== largeSize) return
    // One that a write has not finished with goes to the collector.
    if (isWriting) largeCount--
    else giveBack(buffer)
  })
  // Node keeps the buffer of now, which it would hold on to.
  const current = Object.getOwnPropertySymbols(reader).find(({ description }) => description === "kBuffer")
  return reader
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
