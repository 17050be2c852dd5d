/**
 * What a connection is to all that use one, whatever carries its bytes.
 *
 * Protocols, commands and the relay are written against this. `NodeTransport` is a
 * connection on one of Node's streams. What wants such a stream itself, which TLS
 * does, takes it by `handOver`.
 */
import type { Duplex } from "node:stream"
import type * as Effect from "effect/Effect"
import type * as Host from "effect/net/Host"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { Event } from "../base/Abortable.ts"
import type { Peer } from "./Peer.ts"

export interface Transport {
  /** Closed or broken: nothing comes from here any more, and nothing goes out. */
  readonly isClosed: boolean
  /** What it broke from, if it was not closed in order: a reset, for one, with the system's code. */
  readonly failure: Error | undefined
  /** The other side has sent all it had. It may have broken after that. */
  readonly hasEnded: boolean
  /** The sending side is neither closed nor shut. */
  readonly isWritable: boolean
  /** The sending side was shut, and the system has taken all that was written before. */
  readonly hasSentAll: boolean
  /** Bytes that were written and that the system has yet to take. At 0 all of them may change. */
  readonly unsent: number
  /** More is unsent than should wait here; `drained` tells when it is not. */
  readonly isFull: boolean

  /** Gives what comes from here to this receiver from now on, in place of the one before. */
  readonly listen: (receiver: Receiver) => void
  /**
   * Passes what comes from here on to `to`, at most `most` bytes at once. How is this
   * transport's business: it may leave all of it to the system. Reading begins with `resume`.
   */
  readonly relayTo: (to: Transport, mover: Mover, most: number | undefined) => void
  /** Calls this when the connection has closed, in whatever way, after the one that listens was told. */
  readonly whenClosed: (then: () => void) => void

  /** Reads no more. What the system holds for it by then holds up the other side. */
  readonly pause: () => void
  readonly resume: () => void

  /**
   * Sends bytes, or keeps them until the system takes them. They must not change
   * before that, when `then` is called; it is called too if it comes to nothing.
   */
  readonly write: (bytes: Uint8Array, then?: () => void) => void
  /** The same with several pieces, in one go if that can be. */
  readonly writeAll: (pieces: ReadonlyArray<Uint8Array>, then: () => void) => void
  /** Shuts the sending side, behind what was written. */
  readonly end: (then?: () => void) => void
  /** Closes both sides, with all that waits. */
  readonly close: () => void
  /**
   * Closes both sides so that the other end can tell that the connection was cut off:
   * with RST where there is TCP below. A Unix-domain socket has no reset.
   */
  readonly reset: () => void

  /** Has the system look once a minute whether the other end is still there, on TCP. */
  readonly keepAlive: () => void
  /** Gives up the memory that it has to itself for reading, if nothing moves now. */
  readonly rest: () => void
  /** The connection as one of Node's streams, paused, with `unread` in front of what comes. It is then no longer to be read or written here. */
  readonly handOver: (unread: Uint8Array) => Duplex
}

/** Hears how a connection goes on. */
interface Observer {
  /** The other side has sent all it had. */
  readonly ended: () => void
  /** The connection has closed. The last that is told. */
  readonly closed: () => void
}

/** Gets what comes from a connection. */
export interface Receiver extends Observer {
  /** The bytes are the receiver's. */
  readonly received: (bytes: Buffer) => void
  /** The same with bytes that are others as soon as this returns: saves who needs them no longer a copy. */
  readonly lent?: (bytes: Buffer) => void
}

/** Hears what is passed on from one connection to another. */
export interface Mover extends Observer {
  /** So many bytes were passed on. The connection may be paused here. */
  readonly moved: (bytes: number) => void
  /** There were bytes, and the other connection was closed. */
  readonly missed: () => void
  /** What was unsent is sent. */
  readonly drained: () => void
}

/** Where connections come from: connecting to an address, and listening on one. */
export interface Sockets {
  /**
   * Begins to connect to an address. Calls `done` once, and not before it has
   * returned: with the address of this end, or with the system's code for why not.
   * There is no timeout but the system's; closing the transport gives up.
   */
  readonly connect: (
    address: NetAddress.IpAddress,
    port: number,
    done: (outcome: NetAddress.InetAddress | string) => void
  ) => Transport
  /** Listens until the scope closes. Fails with the system's code. */
  readonly listen: (options: ListenOptions) => Effect.Effect<Listening, string, Scope.Scope>
}

/** Where to listen: port 0 is one of the system's choice, and a descriptor is of a socket that listens already. */
export type Place =
  | { readonly host: string; readonly port: number; readonly sharing?: "shared" | "exclusive" | undefined }
  | { readonly path: string }
  | { readonly fd: number; readonly path: string | undefined }

export interface ListenOptions {
  readonly place: Place
  /** Connections that the kernel may hold until they are accepted; it cuts this to its own limit. */
  readonly backlog: number
  /** Runs what binds the socket, for what has to be around that. */
  readonly binding?: (bind: () => void) => void
  /** Comes when no socket will come. */
  readonly lost?: Event
  /** The peer is unknown where the other side is gone already. */
  readonly onConnection: (transport: Transport, peer: Peer | undefined) => void
  /** A connection could not be accepted, as where the system has no descriptor for it. The listener stays. */
  readonly onShortage: () => void
}

export interface Listening {
  readonly bound: Bound
  /** Takes no more connections, as when the scope closes. */
  readonly stop: () => void
}

/** Where a socket turned out to listen. */
export type Bound = Host.HostPort | NetAddress.UnixPathAddress
