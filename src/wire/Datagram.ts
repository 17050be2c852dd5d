/**
 * The header before each datagram between a client and the relay (RFC 1928 §7):
 * `RSV RSV FRAG ATYP DST.ADDR DST.PORT DATA`.
 */
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { InvalidTarget } from "../Errors.ts"
import * as Address from "./Address.ts"
import * as Target from "./Target.ts"

/** The most payload bytes of a UDP datagram, without the headers of IPv4 and UDP. */
export const maximum = 65_507

/** FRAG: 0 for a whole datagram, else the position in a sequence; the last fragment has the high bit set. */
export const fragment = (bytes: Uint8Array): number => bytes[2]!

/** The index of DATA; 0 if the bytes are no datagram of RFC 1928. Allocates nothing. */
export const headerSize = (bytes: Uint8Array): number => {
  const size = sizeByType(bytes)
  return size <= bytes.length ? size : 0
}

const sizeByType = (bytes: Uint8Array): number => {
  switch (bytes[Address.start]) {
    case Address.AddressType.Ipv4:
      return 10
    case Address.AddressType.Ipv6:
      return 22
    case Address.AddressType.DomainName:
      // 0 for an empty name, and for a datagram that ends before the name's length.
      return bytes[4] ? 7 + bytes[4] : 0
    default:
      return 0
  }
}

/** The target in the header of a datagram. */
export const target = (bytes: Uint8Array): Result.Result<Target.Target, InvalidTarget> => {
  const decoded = Address.decode(bytes)
  if (Result.isFailure(decoded)) return invalid("no address", "not a datagram of RFC 1928")
  return Result.flatMap(decoded.success.value, (target) =>
    target.port === 0
      ? invalid(Target.format(target), "nothing can be sent to port 0")
      : Result.succeed(target)
  )
}

const invalid = (target: string, reason: string) => Result.fail(new InvalidTarget({ target, reason }))

/** The header of a datagram from `remote` to the client. */
export const header = (remote: NetAddress.InetAddress): Uint8Array => Address.message(0, 0, 0, remote)

/** The header of a datagram from the client to the target. */
export const headerOf = ({ host, port }: Target.Target): Uint8Array => {
  if (NetAddress.isIpAddress(host)) return header(NetAddress.inetAddressUnsafe(host, port))
  const name = utf8.encode(Host.formatHost(host))
  return Uint8Array.of(0, 0, 0, Address.AddressType.DomainName, name.length, ...name, port >> 8, port & 0xff)
}

const utf8 = new TextEncoder()
