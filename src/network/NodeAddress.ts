/**
 * Addresses as Node gives them, and takes them.
 */
import * as NetAddress from "effect/net/NetAddress"

/**
 * The end of a socket: IPv4 as IPv4 on sockets of both families, and without the
 * zone of a link-local address, which means nothing to anyone else.
 */
export const fromNode = (address: string, port: number): NetAddress.InetAddress => {
  const zone = address.indexOf("%")
  return NetAddress.toCanonical(
    NetAddress.inetAddressFromNativeUnsafe(zone === -1 ? address : address.slice(0, zone), port)
  )
}
