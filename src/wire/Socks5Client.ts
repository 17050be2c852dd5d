/**
 * SOCKS5 messages from the side of a client (RFC 1928, RFC 1929): what it sends to a server, and how it reads the
 * answers. `Socks5.ts` has the side of a server.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import * as Address from "./Address.ts"
import { complete, type Decoder, incomplete } from "./Decoder.ts"
import { type Credentials, type Method, version } from "./Socks5.ts"
import type { Target } from "./Target.ts"

/** `VER NMETHODS METHODS`, with one method. */
export const greeting = (method: Method): Uint8Array => Uint8Array.of(version, 1, method)

/** `VER ULEN UNAME PLEN PASSWD` (RFC 1929 §2). Each field has at most 255 bytes. */
export const credentials = ({ username, password }: Credentials): Uint8Array =>
  Uint8Array.of(0x01, username.length, ...username, password.length, ...password)

/** `VER CMD RSV ATYP DST.ADDR DST.PORT` (RFC 1928 §4). */
export const request = (command: number, { host, port }: Target): Uint8Array => {
  if (NetAddress.isIpAddress(host)) {
    return Address.message(version, command, 0x00, NetAddress.inetAddressUnsafe(host, port))
  }
  const name = ascii.encode(host)
  return Uint8Array.of(
    ...[version, command, 0x00, Address.AddressType.DomainName, name.length],
    ...name,
    ...[port >> 8, port & 0xff]
  )
}

/** Reads `VER METHOD`. Fails with the reason. */
export const methodSelection: Decoder<number, string> = ([ver, method]) => {
  if (ver === undefined) return incomplete
  if (ver !== version) return Result.fail(`version ${ver} is not 5`)
  return method === undefined ? incomplete : complete(method, 2)
}

/** Reads `VER STATUS`. Some servers answer with version 5. */
export const credentialsStatus: Decoder<number, string> = ([ver, status]) => {
  if (ver === undefined) return incomplete
  if (ver !== 0x01 && ver !== version) return Result.fail(`version ${ver} of the login is not 1`)
  return status === undefined ? incomplete : complete(status, 2)
}

/** A reply; `bound` is undefined if it is a name, as some servers write it. */
export interface Reply {
  readonly code: number
  readonly bound: NetAddress.InetAddress | undefined
}

/** Reads `VER REP RSV ATYP BND.ADDR BND.PORT` (RFC 1928 §6). Fails with the reason. */
export const reply: Decoder<Reply, string> = (bytes) => {
  const [ver, code] = bytes
  if (ver === undefined) return incomplete
  if (ver !== version) return Result.fail(`version ${ver} of the reply is not 5`)
  if (code === undefined) return incomplete
  const bound = Address.decode(bytes)
  if (Result.isSuccess(bound)) {
    const { value, size } = bound.success
    return complete({ code, bound: Result.isSuccess(value) ? addressOf(value.success) : undefined }, size)
  }
  if (bound.failure._tag === "Incomplete") return incomplete
  return Result.fail(`address type ${bound.failure.addressType} of the reply is unknown`)
}

const addressOf = ({ host, port }: Target): NetAddress.InetAddress | undefined =>
  NetAddress.isIpAddress(host) ? NetAddress.inetAddressUnsafe(host, port) : undefined

const ascii = new TextEncoder()
