/**
 * The addresses of an accepted connection, and their texts.
 */
import type * as Host from "effect/net/Host"
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"
import * as ListenAddress from "../config/ListenAddress.ts"

/** The addresses of the client and of the server. */
export interface Peer {
  /** The client's address; on a Unix-domain socket the path of the socket, as clients have no address there. */
  readonly remote: NetAddress.SocketAddress
  readonly local: NetAddress.SocketAddress
  /** The address of the proxy in front of this server, if a PROXY header named the client. */
  readonly via?: NetAddress.SocketAddress
}

/**
 * Names both ends of the connections of a listener; undefined for a client that is gone already. `localOf` is asked only
 * if the listener has several addresses.
 */
export const naming = <Connection>(
  bound: Host.HostPort | NetAddress.UnixPathAddress,
  remoteOf: (connection: Connection) => NetAddress.InetAddress | undefined,
  localOf: (connection: Connection) => NetAddress.InetAddress | undefined
): ((connection: Connection) => Peer | undefined) => {
  if (bound._tag === "UnixPathAddress") {
    const peer = { remote: bound, local: bound }
    return () => peer
  }
  const { host, port } = bound
  const isOne = NetAddress.isIpAddress(host) && !NetAddress.isUnspecified(host)
  const only = isOne ? NetAddress.inetAddressUnsafe(host, port) : undefined
  return (connection) => {
    const remote = remoteOf(connection)
    const local = only ?? localOf(connection)
    return remote && local && { remote, local }
  }
}

/** The server's address of the connection; loopback on a Unix-domain socket. */
export const localAddress = ({ local }: Peer): NetAddress.IpAddress =>
  NetAddress.isInetAddress(local) ? local.address : NetAddress.ipv4Loopback

/**
 * The text of the server's address. The text is made once for each address object, which many connections share.
 */
export const listenerOf = ({ local }: Peer): string => {
  const known = written.get(local)
  if (known !== undefined) return known
  const text = ListenAddress.format(local)
  written.set(local, text)
  return text
}
const written = new WeakMap<NetAddress.SocketAddress, string>()

/**
 * The key by which clients are counted: the IPv4 address, the IPv6 /64 network, which one customer usually has, or the
 * path of a Unix-domain socket.
 */
export const hostOf = ({ remote }: Peer): string => {
  if (!NetAddress.isInetAddress(remote)) return remote.path
  const { address } = remote
  return NetAddress.isIpv6Address(address)
    ? IpNetwork.format(IpNetwork.fromAddressUnsafe(address, 64))
    : NetAddress.formatIp(address)
}
