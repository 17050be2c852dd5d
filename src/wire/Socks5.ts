/**
 * SOCKS5 messages (RFC 1928) and its username/password sub-negotiation (RFC 1929).
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import {
  AddressTypeNotSupported,
  type InvalidTarget,
  MalformedCredentials,
  MalformedRequest,
  UnknownProtocol
} from "../Errors.ts"
import { complete, type Decoder, incomplete } from "./Decoder.ts"
import * as Target from "./Target.ts"

export const version = 0x05

/** Authentication methods (RFC 1928 §3). */
export const Method = { NoAuthentication: 0x00, UsernamePassword: 0x02, NoneAcceptable: 0xff } as const
export type Method = typeof Method.NoAuthentication | typeof Method.UsernamePassword

/** Commands (RFC 1928 §4). */
export const Command = { Connect: 0x01, Bind: 0x02, UdpAssociate: 0x03 } as const

/** Reply codes (RFC 1928 §6). */
export const ReplyCode = {
  Succeeded: 0x00,
  GeneralFailure: 0x01,
  NotAllowed: 0x02,
  NetworkUnreachable: 0x03,
  HostUnreachable: 0x04,
  ConnectionRefused: 0x05,
  TtlExpired: 0x06,
  CommandNotSupported: 0x07,
  AddressTypeNotSupported: 0x08
} as const
export type ReplyCode = (typeof ReplyCode)[keyof typeof ReplyCode]

const AddressType = { Ipv4: 0x01, DomainName: 0x03, Ipv6: 0x04 } as const

// What a client sends --------------------------------------------------------

/** `VER NMETHODS METHODS`: the methods offered, as the client ordered them. */
export const greeting: Decoder<Uint8Array, UnknownProtocol> = (bytes) => {
  const [ver, count] = bytes
  if (ver === undefined) return incomplete
  if (ver !== version) return Result.fail(new UnknownProtocol({ firstByte: ver }))
  if (count === undefined || bytes.length < 2 + count) return incomplete
  return complete(bytes.slice(2, 2 + count), 2 + count)
}

/** A user name and a password, as bytes: neither RFC 1929 nor anything else gives them an encoding. */
export interface Credentials {
  readonly username: Uint8Array
  readonly password: Uint8Array
}

/** `VER ULEN UNAME PLEN PASSWD`, VER 01, both lengths 1 to 255 (RFC 1929 §2). */
export const credentials: Decoder<Credentials, MalformedCredentials> = (bytes) => {
  const [ver, nameLength] = bytes
  if (ver === undefined) return incomplete
  if (ver !== 0x01) return malformedCredentials(`version ${ver} is not 1`)
  if (nameLength === undefined) return incomplete
  if (nameLength === 0) return malformedCredentials("the user name is empty")
  const passwordLength = bytes[2 + nameLength]
  if (passwordLength === undefined) return incomplete
  if (passwordLength === 0) return malformedCredentials("the password is empty")
  const size = 3 + nameLength + passwordLength
  if (bytes.length < size) return incomplete
  return complete(
    { username: bytes.slice(2, 2 + nameLength), password: bytes.slice(3 + nameLength, size) },
    size
  )
}

const malformedCredentials = (reason: string) => Result.fail(new MalformedCredentials({ reason }))

/** A request read whole. Its target is checked only where the command is one that is carried out. */
export interface Request {
  readonly command: number
  readonly target: Result.Result<Target.Target, InvalidTarget>
}

/**
 * `VER CMD RSV ATYP DST.ADDR DST.PORT` (RFC 1928 §4). RSV is ignored, as most
 * servers do. A message of unknown ATYP has no known end, so it fails at once.
 */
export const request: Decoder<Request, MalformedRequest | AddressTypeNotSupported> = (bytes) => {
  const [ver, command, , addressType, nameLength] = bytes
  if (ver === undefined) return incomplete
  if (ver !== version) return Result.fail(new MalformedRequest({ reason: `version ${ver} is not 5` }))
  if (command === undefined || addressType === undefined) return incomplete
  switch (addressType) {
    case AddressType.Ipv4:
      return targetAt(bytes, command, 4, 4, Target.fromAddress)
    case AddressType.Ipv6:
      return targetAt(bytes, command, 4, 16, Target.fromAddress)
    case AddressType.DomainName:
      return nameLength === undefined ? incomplete : targetAt(bytes, command, 5, nameLength, Target.fromName)
    default:
      return Result.fail(new AddressTypeNotSupported({ addressType }))
  }
}

const targetAt = (
  bytes: Uint8Array,
  command: number,
  start: number,
  length: number,
  parse: typeof Target.fromAddress
): ReturnType<typeof request> => {
  const end = start + length
  if (bytes.length < end + 2) return incomplete
  const port = (bytes[end]! << 8) | bytes[end + 1]!
  return complete({ command, target: parse(bytes.subarray(start, end), port) }, end + 2)
}

// What a server sends --------------------------------------------------------

/** `VER METHOD` (RFC 1928 §3). */
export const methodSelection = (method: number): Uint8Array => Uint8Array.of(version, method)

/** `VER STATUS` (RFC 1929 §2): 00 lets the client in, anything else does not. */
export const credentialsStatus = (status: number): Uint8Array => Uint8Array.of(0x01, status)

/** `VER REP RSV ATYP BND.ADDR BND.PORT` (RFC 1928 §6). An IPv4 address in IPv6 form goes out as IPv4. */
export const reply = (code: number, bound: NetAddress.InetAddress): Uint8Array => {
  const address = NetAddress.toCanonical(bound.address)
  const octets = NetAddress.isIpv4Address(address)
    ? NetAddress.ipv4ToOctets(address)
    : NetAddress.ipv6ToOctets(address)
  const type = octets.length === 4 ? AddressType.Ipv4 : AddressType.Ipv6
  return Uint8Array.of(version, code, 0x00, type, ...octets, bound.port >> 8, bound.port & 0xff)
}

/** BND.ADDR and BND.PORT of a failure: nothing is bound. */
export const unbound = NetAddress.inetAddressUnsafe(NetAddress.ipv4Unspecified, 0)
