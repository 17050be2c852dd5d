/**
 * What is used of Node's internals, and only here.
 *
 * Node makes a 64 KiB buffer for each read of a socket, cuts it to what was read, and
 * leaves it to the garbage collector. A proxy that moves gigabytes spends most of its
 * time on that, and the memory of a busy time stays with the process. Node can read
 * into a buffer that it is given instead (`onread` of `net.connect`), but not for
 * sockets that a server has accepted. So it is done here as Node does it.
 *
 * Where there are no such internals, `readInto` says so, and a socket's `data` events
 * give the same bytes.
 */
import { EventEmitter } from "node:events"
import { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { getSystemErrorName } from "node:util"

/**
 * Takes what was read, the first `count` bytes of the buffer. Returns whether to read
 * on; if not, the socket's `resume` does. Called with the socket as `this`.
 */
export type Deliver = (this: Duplex, count: number, buffer: Buffer) => boolean

/**
 * Has a socket read into this buffer, and deliver what it reads in place of its
 * `data` events. Those still come for what it had read before. After each delivery
 * `next` says which buffer the same socket is read into then.
 *
 * Returns whether that can be. It cannot be undone, only done again with others, which
 * leaves a few bytes with the socket each time.
 */
export const readInto = (stream: Duplex, buffer: Buffer, deliver: Deliver, next: () => Buffer): boolean => {
  // Windows is given the buffer long before it reads into it, when others may use it.
  if (!(stream instanceof Socket) || "encrypted" in stream || process.platform === "win32") return false
  if (stream.destroyed || stream.readableEnded) return false
  const socket = stream as unknown as { _handle?: Handle | null; [key: symbol]: unknown }
  const handle = socket._handle
  keys ??= keysOf(stream)
  if (keys === undefined || typeof handle?.useUserBuffer !== "function") return false
  const { kBuffer, kBufferCb, kBufferGen } = keys
  // The socket has an `onread` of its own.
  if (socket[kBuffer] && socket[kBufferCb] !== deliver) return false
  socket[kBuffer] = buffer
  socket[kBufferCb] = deliver
  socket[kBufferGen] = next
  handle.useUserBuffer(buffer)
  // One that is paused may be reading still, which it does not with such a buffer.
  if (stream.isPaused()) stream.pause()
  return true
}

interface Handle {
  useUserBuffer(buffer: Buffer): void
}

/** What `onread` sets at a socket's creation, and has set unchanged since version 12 of Node. */
const names = ["kBuffer", "kBufferCb", "kBufferGen"] as const

type Keys = Readonly<Record<(typeof names)[number], symbol>>

let keys: Keys | undefined

const keysOf = (socket: Socket): Keys | undefined => {
  const symbols = Object.getOwnPropertySymbols(socket)
  const found = names.map((name) => [name, symbols.find(({ description }) => description === name)] as const)
  return found.every(([, symbol]) => symbol) ? (Object.fromEntries(found) as unknown as Keys) : undefined
}

type Done = (error?: Error | null) => void

/**
 * Reads on from a socket after a write has failed. A server that answers before it has read a request closes its
 * connection while the request is still being sent. The answer waits in the system's buffer then, but the next write
 * fails, and Node destroys a socket whose write has failed.
 *
 * From now on a failed write calls `failed`, once, and later writes do nothing. Reading goes on until
 * its own end.
 */
export const keepReading = (stream: Duplex, failed: (error: Error) => void): void => {
  const { _write, _writev } = stream
  let isBroken = false
  const unlessFailed =
    (done: Done): Done =>
    (error) => {
      if (error && !isBroken) {
        isBroken = true
        failed(error)
      }
      done()
    }
  stream._write = (chunk, encoding, done) =>
    isBroken ? done() : _write.call(stream, chunk, encoding, unlessFailed(done))
  if (_writev) {
    stream._writev = (chunks, done) => (isBroken ? done() : _writev.call(stream, chunks, unlessFailed(done)))
  }
}

/** Where the primary is asked to bind: an address and port, a path, or one of its own descriptors. */
export type PrimaryPlace =
  | { readonly address: string; readonly isIpv4: boolean; readonly port: number }
  | { readonly path: string }
  | { readonly fd: number }

/** A bound socket that the primary of a cluster shares with its workers. Nobody accepts from it yet. */
export interface PrimarySocket {
  readonly fd: number
  /** The primary closes the socket when no worker has it. */
  readonly release: () => void
}

/**
 * Asks the primary of this worker for a bound socket, in the way that `net.Server` does it before it listens. Calls
 * `done` with the socket or the system's error code. Returns false, and calls nothing, where Node offers no such way.
 */
export const askPrimary = (
  cluster: object,
  place: PrimaryPlace,
  done: (outcome: PrimarySocket | string) => void
): boolean => {
  const { _getServer } = cluster as { _getServer?: GetServer }
  if (typeof _getServer !== "function") return false
  _getServer.call(cluster, new EventEmitter(), primaryOptions(place), (error, handle) => {
    if (error) return done(getSystemErrorName(error))
    const { fd } = handle
    if (typeof fd === "number" && fd >= 0) return done({ fd, release: () => handle.close() })
    handle.close()
    done("ENOTSUP")
  })
  return true
}

type GetServer = (
  owner: EventEmitter,
  options: ReturnType<typeof primaryOptions>,
  done: (error: number | null, handle: { readonly fd?: number; readonly close: () => void }) => void
) => void

const primaryOptions = (place: PrimaryPlace) => {
  const common = { fd: undefined, flags: 0 }
  if ("fd" in place) return { ...common, address: null, port: null, addressType: null, fd: place.fd }
  // As Node marks a path.
  if ("path" in place) return { ...common, address: place.path, port: -1, addressType: -1 }
  return { ...common, address: place.address, port: place.port, addressType: place.isIpv4 ? 4 : 6 }
}
