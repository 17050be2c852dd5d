/**
 * Addresses that Node reports.
 */
import * as NetAddress from "effect/net/NetAddress"

/**
 * The address of a socket's end. An IPv4-mapped address becomes IPv4. The zone of a link-local address is dropped: it
 * is the name of an interface, and means nothing to other machines.
 */
export const fromNode = (address: string, port: number): NetAddress.InetAddress => {
  const zone = address.indexOf("%")
  return NetAddress.toCanonical(
    NetAddress.inetAddressFromNativeUnsafe(zone === -1 ? address : address.slice(0, zone), port)
  )
}
