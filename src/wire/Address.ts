/**
 * `ATYP ADDR PORT`, as it stands in requests, replies and datagrams (RFC 1928 §5).
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { AddressTypeNotSupported, type InvalidTarget } from "../Errors.ts"
import { complete, type Decoder, incomplete } from "./Decoder.ts"
import * as Target from "./Target.ts"

export const AddressType = { Ipv4: 0x01, DomainName: 0x03, Ipv6: 0x04 } as const

/** The index of ATYP: in every message three bytes stand before it. */
export const start = 3

/**
 * The target in a message. The message is read whole before the target is checked, so the value is a `Result`. The
 * size is that of the message up to the end of the port. A message of unknown ATYP has no known end, and fails.
 */
export const decode: Decoder<Result.Result<Target.Target, InvalidTarget>, AddressTypeNotSupported> = (
  bytes
) => {
  const addressType = bytes[start]
  if (addressType === undefined) return incomplete
  switch (addressType) {
    case AddressType.Ipv4:
      return targetAt(bytes, start + 1, 4, Target.fromAddress)
    case AddressType.Ipv6:
      return targetAt(bytes, start + 1, 16, Target.fromAddress)
    case AddressType.DomainName: {
      const length = bytes[start + 1]
      return length === undefined ? incomplete : targetAt(bytes, start + 2, length, Target.fromName)
    }
    default:
      return Result.fail(new AddressTypeNotSupported({ addressType }))
  }
}

const targetAt = (
  bytes: Uint8Array,
  from: number,
  length: number,
  parse: typeof Target.fromAddress
): ReturnType<typeof decode> => {
  const end = from + length
  if (bytes.length < end + 2) return incomplete
  const port = (bytes[end]! << 8) | bytes[end + 1]!
  return complete(parse(bytes.subarray(from, end), port), end + 2)
}

/** A message of three bytes and an address. An IPv4-mapped IPv6 address is written as IPv4. */
export const message = (
  first: number,
  second: number,
  third: number,
  { address, port }: NetAddress.InetAddress
): Uint8Array => {
  const canonical = NetAddress.toCanonical(address)
  const octets = NetAddress.isIpv4Address(canonical)
    ? NetAddress.ipv4ToOctets(canonical)
    : NetAddress.ipv6ToOctets(canonical)
  const addressType = octets.length === 4 ? AddressType.Ipv4 : AddressType.Ipv6
  return Uint8Array.of(first, second, third, addressType, ...octets, port >> 8, port & 0xff)
}
