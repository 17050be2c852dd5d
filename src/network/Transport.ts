/**
 * The interface of a connection, which protocols, commands and the relay use.
 *
 * `NodeTransport` implements a connection on a Node stream. Code that needs a Node stream, such as TLS, gets one by
 * `handOver`.
 */
import type { Duplex } from "node:stream"
import type * as Effect from "effect/Effect"
import type * as Host from "effect/net/Host"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { Event } from "../base/Abortable.ts"
import type { Peer } from "./Peer.ts"

export interface Transport {
  /** Whether the connection is closed or broken: no bytes are read or written any more. */
  readonly isClosed: boolean
  /** The error that broke the connection, such as a reset, with the system's code. */
  readonly failure: Error | undefined
  /** Whether the other side has sent FIN. It may have broken later. */
  readonly hasEnded: boolean
  /** Whether bytes can be written: `end` was not called, and the connection is not closed. */
  readonly isWritable: boolean
  /** Whether `end` was called and the system has taken all bytes. */
  readonly hasSentAll: boolean
  /** The number of written bytes that the system has not taken yet. At 0 all written buffers may be changed. */
  readonly unsent: number
  /** Whether too many bytes are unsent. The `Mover` gets `drained` when that has changed. */
  readonly isFull: boolean

  /** Gives the received bytes to this receiver from now on, in place of the last receiver. */
  readonly listen: (receiver: Receiver) => void
  /**
   * Passes the received bytes on to `to`, at most `most` bytes at a time. The transport decides how: an implementation
   * can leave the relay to the system. Reading begins with `resume`.
   */
  readonly relayTo: (to: Transport, mover: Mover, most: number | undefined) => void
  /** Calls `then` when the connection has closed or broken, after the receiver's `closed`. */
  readonly whenClosed: (then: () => void) => void

  /** Stops reading. When the system's buffer is full, the other side cannot send. */
  readonly pause: () => void
  readonly resume: () => void

  /**
   * Sends bytes, or keeps them until the system takes them. `then` is called when the system has taken the bytes, or
   * when the write has failed. The bytes must not change before that.
   */
  readonly write: (bytes: Uint8Array, then?: () => void) => void
  /** Writes several pieces, with one system call if possible. */
  readonly writeAll: (pieces: ReadonlyArray<Uint8Array>, then: () => void) => void
  /** Sends FIN behind the written bytes. */
  readonly end: (then?: () => void) => void
  /** Closes both sides at once, and drops unsent bytes. */
  readonly close: () => void
  /**
   * Closes both sides with RST on TCP, so that the other end knows that the connection was cut off. A Unix-domain
   * socket has no reset, and is closed.
   */
  readonly reset: () => void

  /**
   * From now on a failed write does not close the connection, so that what the other side has sent before is still read.
   * `failed` gets the error, once; later writes do nothing. Left out where reading ends with writing.
   */
  readonly keepReading?: (failed: (error: Error) => void) => void

  /** The most bytes of a call of `Mover.moved`, if that is bounded. */
  readonly largestMove?: number | undefined

  /** Switches TCP keep-alive on, with a probe a minute. */
  readonly keepAlive: () => void
  /** Gives up the connection's own read buffer, if no bytes are on their way. */
  readonly rest: () => void
  /**
   * The connection as a paused Node stream, with `unread` in front of the received bytes. Afterwards this transport
   * must not be read or written.
   */
  readonly handOver: (unread: Uint8Array) => Duplex
}

/** Callbacks for the end of a connection. */
interface Observer {
  /** The other side has sent FIN. */
  readonly ended: () => void
  /** The connection has closed or broken. The last call. */
  readonly closed: () => void
}

/** Takes the bytes of a connection. */
export interface Receiver extends Observer {
  /** Takes bytes that the receiver may keep. */
  readonly received: (bytes: Buffer) => void
  /**
   * Takes bytes that are valid only until the function returns, which saves a copy. Without it, `received` is called.
   */
  readonly lent?: (bytes: Buffer) => void
}

/** Callbacks for the bytes that `relayTo` passes on. */
export interface Mover extends Observer {
  /** This number of bytes was passed on. The callback may pause the connection. */
  readonly moved: (bytes: number) => void
  /** Bytes came, and the other connection was closed. */
  readonly missed: () => void
  /** The system has taken the unsent bytes of this connection. */
  readonly drained: () => void
}

/** Connects to addresses, and listens on addresses. */
export interface Sockets {
  /**
   * Begins to connect to an address. Calls `done` once, after `connect` has returned: with the local address, or with
   * the system's error code. Only the system has a timeout; closing the transport ends the attempt. `from` is the local
   * address; without it the system chooses.
   */
  readonly connect: (
    address: NetAddress.IpAddress,
    port: number,
    done: (outcome: NetAddress.InetAddress | string) => void,
    from?: NetAddress.IpAddress
  ) => Transport
  /** Listens until the scope closes. Fails with the system's error code. */
  readonly listen: (options: ListenOptions) => Effect.Effect<Listening, string, Scope.Scope>
}

/**
 * Where to listen: a host and port, where the system chooses a port for 0; a path of a Unix-domain socket; or the
 * descriptor of a listening socket, with its path if it is a Unix-domain socket.
 */
export type Place =
  | {
      readonly host: string
      readonly port: number
      readonly sharing?: "shared" | "exclusive" | undefined
      /** Whether the address need not be one of this machine, as far as the transport can do that. */
      readonly isFree?: boolean
    }
  | { readonly path: string }
  | { readonly fd: number; readonly path: string | undefined }

export interface ListenOptions {
  readonly place: Place
  /** The most connections that the kernel holds before they are accepted. The kernel has a limit of its own. */
  readonly backlog: number
  /** Runs `bind`, which binds the socket synchronously: for work before and after, such as setting the umask. */
  readonly binding?: (bind: () => void) => void
  /** Happens when the process that passes sockets is gone, so that no socket will come. */
  readonly lost?: Event
  /** Called for each connection. The peer is undefined if the client is gone already. */
  readonly onConnection: (transport: Transport, peer: Peer | undefined) => void
  /** Called when a connection could not be accepted, for lack of descriptors. The listener stays. */
  readonly onShortage: () => void
}

export interface Listening {
  readonly bound: Bound
  /** Stops listening before the scope closes. */
  readonly stop: () => void
}

/** The address of a listening socket, with the port that the system chose. */
export type Bound = Host.HostPort | NetAddress.UnixPathAddress
