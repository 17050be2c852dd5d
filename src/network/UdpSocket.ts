/**
 * UDP sockets, as associations know them. Where they come from is the business of `UdpSockets`.
 */
import type * as NetAddress from "effect/net/NetAddress"

/** The address and port of a sender or a destination, in the form that sockets of one kind take. */
export interface UdpEndpoint {
  /** The address is canonical, and has no zone. */
  readonly at: NetAddress.InetAddress
  /** Equal for the same address, zone and port. Only endpoints of the same `UdpSockets` can be compared. */
  readonly key: string
}

export interface UdpReceiver {
  /** Takes a datagram. The bytes are lent: they are valid until the call returns, or are passed on by `send` before. */
  readonly received: (bytes: Buffer, from: UdpEndpoint) => void
  /** An earlier datagram could not be delivered, or a datagram could not be received. */
  readonly failed: () => void
}

/** Is told once whether the system has taken a datagram. */
export type WhenSent = (error: unknown) => void

/** A bound socket of one address family. */
export interface UdpSocket {
  readonly port: number
  /** Takes what comes. Without a receiver datagrams are dropped. */
  receiver: UdpReceiver | undefined
  /**
   * Sends the bytes from the index `from` to the end, with `head` before them, as one datagram. Unless the bytes are lent
   * by a receiver's call, they must not change until `whenSent` is called. The socket must be open.
   */
  send(bytes: Buffer, from: number, to: UdpEndpoint, whenSent: WhenSent, head?: Uint8Array): void
  close(): void
}

export interface UdpSockets {
  /**
   * A socket of the address's family, bound; or the system's error code. A socket of IPv6 takes no IPv4. With
   * `isFree` the address need not be one of this machine, as far as the sockets can do that.
   */
  readonly bind: (address: NetAddress.IpAddress, port: number, isFree?: boolean) => UdpSocket | string
  readonly endpoint: (at: NetAddress.InetAddress) => UdpEndpoint
}
