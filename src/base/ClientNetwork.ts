/**
 * The network that a client is counted by. With IPv6 a customer has more addresses
 * than can be counted, so a client is counted by the network that it certainly has.
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as NetAddress from "effect/net/NetAddress"

/** The /32 of an IPv4 address, also of one that is written as IPv6; the /64 of an IPv6 address. */
export const of = (address: NetAddress.IpAddress): IpNetwork.IpNetwork => {
  const canonical = NetAddress.toCanonical(address)
  return IpNetwork.fromAddressUnsafe(canonical, NetAddress.isIpv4Address(canonical) ? 32 : 64)
}

/** That network, and the wider ones that one customer may have: the /56 and the /48 of an IPv6 address. */
export const around = (address: NetAddress.IpAddress): ReadonlyArray<IpNetwork.IpNetwork> => {
  const canonical = NetAddress.toCanonical(address)
  return NetAddress.isIpv4Address(canonical)
    ? [IpNetwork.fromAddressUnsafe(canonical, 32)]
    : [64, 56, 48].map((length) => IpNetwork.fromAddressUnsafe(canonical, length))
}

/** A network of which an attacker cannot have many cheaply: the /24 of an IPv4 address, the /48 of an IPv6 address. */
export const areaOf = (address: NetAddress.IpAddress): string => {
  const canonical = NetAddress.toCanonical(address)
  const length = NetAddress.isIpv4Address(canonical) ? 24 : 48
  return IpNetwork.format(IpNetwork.fromAddressUnsafe(canonical, length))
}

/** The network that a client is counted by, as text: the key in tables. */
export const nameOf = (address: NetAddress.IpAddress): string => {
  const canonical = NetAddress.toCanonical(address)
  // Without an object for the network, as every login asks for it.
  return NetAddress.isIpv4Address(canonical)
    ? `${NetAddress.formatIp(canonical)}/32`
    : IpNetwork.format(of(canonical))
}

/** Whether an address is in one of these networks. */
export const isIn = (
  remote: NetAddress.SocketAddress,
  networks: ReadonlyArray<IpNetwork.IpNetwork>
): boolean =>
  NetAddress.isInetAddress(remote) &&
  networks.some((network) => IpNetwork.contains(network, NetAddress.toCanonical(remote.address)))
