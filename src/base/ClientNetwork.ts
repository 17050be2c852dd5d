/**
 * What is held against a client: not its address, of which IPv6 gives every
 * customer more than can be counted, but the network that it certainly has.
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"

/** An IPv4 address, in whatever form it comes; of an IPv6 address, its /64. */
export const of = (address: NetAddress.IpAddress): IpNetwork.IpNetwork => {
  const canonical = NetAddress.toCanonical(address)
  return IpNetwork.fromAddressUnsafe(canonical, NetAddress.isIpv4Address(canonical) ? 32 : 64)
}

/** That network, and those around it that may be one customer's too: the /56 and the /48 of an IPv6 address. */
export const around = (address: NetAddress.IpAddress): ReadonlyArray<IpNetwork.IpNetwork> => {
  const canonical = NetAddress.toCanonical(address)
  return NetAddress.isIpv4Address(canonical)
    ? [IpNetwork.fromAddressUnsafe(canonical, 32)]
    : [64, 56, 48].map((length) => IpNetwork.fromAddressUnsafe(canonical, length))
}

/** What stands for one place where addresses are cheap to have: the /24 of an IPv4 address, the /48 of an IPv6 one. */
export const areaOf = (address: NetAddress.IpAddress): string => {
  const canonical = NetAddress.toCanonical(address)
  const length = NetAddress.isIpv4Address(canonical) ? 24 : 48
  return IpNetwork.format(IpNetwork.fromAddressUnsafe(canonical, length))
}

/** What is held against a client, as it is written: what tables have it under. */
export const nameOf = (address: NetAddress.IpAddress): string => {
  const canonical = NetAddress.toCanonical(address)
  // Said in short, for it is asked at each login.
  return NetAddress.isIpv4Address(canonical)
    ? `${NetAddress.formatIp(canonical)}/32`
    : IpNetwork.format(of(canonical))
}

/** Whether this end of a connection is in one of these networks. */
export const isIn = (
  remote: NetAddress.SocketAddress,
  networks: ReadonlyArray<IpNetwork.IpNetwork>
): boolean =>
  NetAddress.isInetAddress(remote) &&
  networks.some((network) => IpNetwork.contains(network, NetAddress.toCanonical(remote.address)))
