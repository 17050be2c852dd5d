/**
 * The header before each datagram between a client and the relay (RFC 1928 §7):
 * `RSV RSV FRAG ATYP DST.ADDR DST.PORT DATA`.
 */
import type * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { InvalidTarget } from "../Errors.ts"
import * as Address from "./Address.ts"
import * as Target from "./Target.ts"

/** The most bytes that UDP carries, headers of IPv4 and UDP taken off. */
export const maximum = 65_507

/** FRAG: 0 of a datagram that stands alone, else its position in a sequence, the high bit on the last. */
export const fragment = (bytes: Uint8Array): number => bytes[2]!

/** Where DATA begins; 0 if this is no datagram of RFC 1928. Looks at three bytes and builds nothing. */
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
      // A name of no bytes is none; without its length there is none either.
      return bytes[4] ? 7 + bytes[4] : 0
    default:
      return 0
  }
}

/** Where a datagram that has a header is to go. */
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

/** What goes before the data of a datagram that came from `remote`. */
export const header = (remote: NetAddress.InetAddress): Uint8Array => Address.message(0, 0, 0, remote)
