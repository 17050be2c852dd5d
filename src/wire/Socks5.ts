/**
 * SOCKS5 messages (RFC 1928) and its username/password sub-negotiation (RFC 1929).
 *
 * **When to use**
 *
 * Use `Socks5.Method` in an `Authenticator` of your own, which says by which methods clients may log in.
 *
 * **Example** (An authenticator that asks for a password)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Authenticator, Errors, Socks5 } from "effect-socks"
 *
 * const Nobody = Layer.succeed(Authenticator, {
 *   methods: [Socks5.Method.UsernamePassword],
 *   verify: () => Effect.fail(new Errors.AuthenticationFailed({ user: "" }))
 * })
 * ```
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import {
  type AddressTypeNotSupported,
  type InvalidTarget,
  MalformedCredentials,
  MalformedRequest,
  UnknownProtocol
} from "../Errors.ts"
import * as Address from "./Address.ts"
import { complete, type Decoder, incomplete } from "./Decoder.ts"
import type { Target } from "./Target.ts"

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

// What a client sends --------------------------------------------------------

/** `VER NMETHODS METHODS`: the methods that the client offers, in its order. */
export const greeting: Decoder<Uint8Array, UnknownProtocol> = (bytes) => {
  const [ver, count] = bytes
  if (ver === undefined) return incomplete
  if (ver !== version) return Result.fail(new UnknownProtocol({ firstByte: ver }))
  if (count === undefined || bytes.length < 2 + count) return incomplete
  return complete(bytes.slice(2, 2 + count), 2 + count)
}

/** A user name and a password, as bytes: RFC 1929 defines no encoding. */
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

/** A whole request. An invalid target is no error of the decoder: the command decides whether the target matters. */
export interface Request {
  readonly command: number
  readonly target: Result.Result<Target, InvalidTarget>
}

/**
 * `VER CMD RSV ATYP DST.ADDR DST.PORT` (RFC 1928 §4). RSV is ignored, as most servers do. A message of unknown ATYP has
 * no known end, and fails at once.
 */
export const request: Decoder<Request, MalformedRequest | AddressTypeNotSupported> = (bytes) => {
  const [ver, command] = bytes
  if (ver === undefined) return incomplete
  if (ver !== version) return Result.fail(new MalformedRequest({ reason: `version ${ver} is not 5` }))
  if (command === undefined) return incomplete
  return Result.map(Address.decode(bytes), ({ value, size }) => ({ value: { command, target: value }, size }))
}

// What a server sends --------------------------------------------------------

/** `VER METHOD` (RFC 1928 §3). */
export const methodSelection = (method: number): Uint8Array => Uint8Array.of(version, method)

/** `VER STATUS` (RFC 1929 §2): 00 is success, any other status is failure. */
export const credentialsStatus = (status: number): Uint8Array => Uint8Array.of(0x01, status)

/** `VER REP RSV ATYP BND.ADDR BND.PORT` (RFC 1928 §6). */
export const reply = (code: number, bound: NetAddress.InetAddress): Uint8Array =>
  Address.message(version, code, 0x00, bound)

/** BND.ADDR and BND.PORT of a failure. */
export const unbound = NetAddress.inetAddressUnsafe(NetAddress.ipv4Unspecified, 0)
