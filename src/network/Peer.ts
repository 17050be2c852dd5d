/**
 * The two ends of a connection that was accepted, and how they are written.
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as ListenAddress from "../config/ListenAddress.ts"

/** Who connected, and to which of the server's addresses. */
export interface Peer {
  /** Of a client of a Unix-domain socket, which has no address: the socket's path. */
  readonly remote: NetAddress.SocketAddress
  readonly local: NetAddress.SocketAddress
  /** The proxy in front of this server that said so. */
  readonly via?: NetAddress.SocketAddress
}

/** The address of this machine that the client uses; loopback if it came through the file system. */
export const localAddress = ({ local }: Peer): NetAddress.IpAddress =>
  NetAddress.isInetAddress(local) ? local.address : NetAddress.ipv4Loopback

/** The address of this server that the client uses, as it is written: once for the many connections that have the same object for it. */
export const listenerOf = ({ local }: Peer): string => {
  const known = written.get(local)
  if (known !== undefined) return known
  const text = ListenAddress.format(local)
  written.set(local, text)
  return text
}
const written = new WeakMap<NetAddress.SocketAddress, string>()

/** What clients are counted by: those of a Unix-domain socket as one, and those of a /64 network, which is one's home. */
export const hostOf = ({ remote }: Peer): string => {
  if (!NetAddress.isInetAddress(remote)) return remote.path
  const { address } = remote
  return NetAddress.isIpv6Address(address)
    ? IpNetwork.format(IpNetwork.fromAddressUnsafe(address, 64))
    : NetAddress.formatIp(address)
}
