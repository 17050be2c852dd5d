/**
 * Buffers of one's own for what a socket reads.
 *
 * By default Node makes a 64 KiB Buffer for each read, and a proxy that moves
 * gigabytes spends most of its time on making and collecting them. Its `onread`
 * option reads into a buffer that is given instead. It exists at a socket's
 * creation only, and is dear for the many that never move much; so here a socket
 * gets it later. That is where Node's internals are touched: a socket without
 * them is read as usual.
 */
import { Socket } from "node:net"
import type { Duplex } from "node:stream"

/** A read of this size was a full one. */
export const fullRead = 64 * 1024

/**
 * Takes a chunk, whose bytes are others after the next read. Returns whether to
 * read on; if not, `resume` does.
 */
export type Deliver = (chunk: Buffer) => boolean

/**
 * Has a socket read into `next`'s buffer, which is asked for another before each
 * read, and deliver what it reads, in place of its `data` events. Those still come
 * for what it had read before. Returns whether that can be; it cannot be undone,
 * only done again with others.
 */
export const readInto = (socket: Duplex, next: () => Buffer, deliver: Deliver): boolean => {
  const inner = internalsOf(socket)
  if (inner === undefined) return false
  const { handle, fields, keys } = inner
  const buffer = next()
  fields[keys.kBuffer] = buffer
  fields[keys.kBufferGen] = next
  fields[keys.kBufferCb] = (count: number, from: Buffer) => {
    const chunk = from.subarray(0, count)
    return socket.readableLength === 0 ? deliver(chunk) : socket.push(Buffer.from(chunk))
  }
  handle.useUserBuffer(buffer)
  // One that is paused may be reading still, which it does not with a buffer of its own.
  if (socket.isPaused()) socket.pause()
  return true
}

/** Has a socket that reads nothing now do its next read into another buffer. */
export const replace = (socket: Duplex, buffer: Buffer): void => {
  const inner = internalsOf(socket)
  if (inner === undefined) return
  inner.fields[inner.keys.kBuffer] = buffer
  inner.handle.useUserBuffer(buffer)
}

/** What `onread` sets at a socket's creation, and has set unchanged since version 12 of Node. */
const names = ["kBuffer", "kBufferCb", "kBufferGen"] as const

type Keys = Readonly<Record<(typeof names)[number], symbol>>

interface Handle {
  useUserBuffer(buffer: Buffer): void
}

const internalsOf = (socket: Duplex) => {
  // Windows may be given a buffer long before it reads into it.
  if (!(socket instanceof Socket) || "encrypted" in socket || process.platform === "win32") return undefined
  if (socket.destroyed || socket.readableEnded) return undefined
  const fields = socket as unknown as { _handle?: Handle | null; [key: symbol]: unknown }
  const handle = fields._handle
  keys ??= keysOf(socket)
  return keys && typeof handle?.useUserBuffer === "function" ? { handle, fields, keys } : undefined
}

let keys: Keys | undefined

const keysOf = (socket: Socket): Keys | undefined => {
  const symbols = Object.getOwnPropertySymbols(socket)
  const found = names.map((name) => [name, symbols.find(({ description }) => description === name)] as const)
  return found.every(([, symbol]) => symbol) ? (Object.fromEntries(found) as unknown as Keys) : undefined
}
