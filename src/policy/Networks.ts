/**
 * Whether a client is in a network.
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"

/** A client that came through the file system is in none. */
export const isFrom = (
  remote: NetAddress.SocketAddress,
  networks: ReadonlyArray<IpNetwork.IpNetwork>
): boolean =>
  NetAddress.isInetAddress(remote) && networks.some((network) => IpNetwork.contains(network, remote.address))
