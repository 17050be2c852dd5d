/**
 * Addresses of sockets as the kernel writes them: `sockaddr_in`, `sockaddr_in6` and `sockaddr_un` (ip(7), ipv6(7),
 * unix(7)).
 */
import * as NetAddress from "effect/net/NetAddress"
import type { Region } from "./Memory.ts"

const family = { unix: 1, ipv4: 2, ipv6: 10 }

// Offsets and sizes in bytes. The family is in the byte order of the machine, the port in that of the network.
const port = 2
const ipv4 = { at: 4, size: 16 }
const ipv6 = { at: 8, size: 28 }
const path = { at: 2, most: 107 }

/** Writes an address to the beginning of a region. Returns the size. */
export const write = (
  { bytes }: Pick<Region, "bytes">,
  address: NetAddress.IpAddress,
  at: number
): number => {
  if (NetAddress.isIpv4Address(address)) {
    bytes.fill(0, 0, ipv4.size)
    bytes.writeUInt16LE(family.ipv4, 0)
    bytes.writeUInt16BE(at, port)
    bytes.set(NetAddress.ipv4ToOctets(address), ipv4.at)
    return ipv4.size
  }
  bytes.fill(0, 0, ipv6.size)
  bytes.writeUInt16LE(family.ipv6, 0)
  bytes.writeUInt16BE(at, port)
  bytes.set(NetAddress.ipv6ToOctets(address), ipv6.at)
  return ipv6.size
}

/** Writes the address of a Unix-domain socket. Returns the size; undefined for a path that is too long. */
export const writePath = ({ bytes }: Region, text: string): number | undefined => {
  const encoded = Buffer.from(text)
  if (encoded.length > path.most || encoded.includes(0)) return undefined
  bytes.fill(0)
  bytes.writeUInt16LE(family.unix, 0)
  bytes.set(encoded, path.at)
  return path.at + encoded.length + 1
}

/** The address at the beginning of a region. An IPv4-mapped address becomes IPv4. */
export const read = ({ bytes }: Pick<Region, "bytes">): NetAddress.InetAddress => {
  const at = bytes.readUInt16BE(port)
  if (bytes.readUInt16LE(0) === family.ipv4) {
    return NetAddress.inetAddressUnsafe(NetAddress.ipv4FromBytesUnsafe(bytes.subarray(ipv4.at, 8)), at)
  }
  const address = NetAddress.ipv6FromBytesUnsafe(bytes.subarray(ipv6.at, 24))
  return NetAddress.inetAddressUnsafe(NetAddress.toCanonical(address), at)
}
