/**
 * The header by which a proxy in front of this server names the client of a connection: versions 1 (text) and 2
 * (binary) of HAProxy's PROXY protocol.
 *
 * Source: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, to which each § refers.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { MalformedProxyHeader } from "../Errors.ts"
import { complete, type Decoder, incomplete } from "./Decoder.ts"

/** The client's address; undefined for a connection of the proxy itself, and where the proxy does not know it. */
type Source = NetAddress.InetAddress | undefined

/** Decodes a header of either version. */
export const header: Decoder<Source, MalformedProxyHeader> = (bytes) => {
  if (startsWith(bytes, signature)) return bytes.length < 16 ? incomplete : binary(bytes)
  if (startsWith(bytes, opening)) return text(bytes)
  return malformed("it is no PROXY header")
}

/** The first bytes of version 1 (§2.1) and version 2 (§2.2). */
const opening = Uint8Array.from("PROXY ", (character) => character.charCodeAt(0))
const signature = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a)

/** Whether the bytes begin with the prefix, or are the beginning of the prefix. */
const startsWith = (bytes: Uint8Array, prefix: Uint8Array): boolean =>
  prefix.subarray(0, bytes.length).every((byte, index) => byte === bytes[index])

// Version 1 ------------------------------------------------------------------

/** §2.1: bytes of the longest line, with its CRLF. */
const longestLine = 107

const text: typeof header = (bytes) => {
  const line = String.fromCharCode(...bytes.subarray(0, longestLine))
  const end = line.indexOf("\r\n")
  if (end === -1) {
    return bytes.length < longestLine ? incomplete : malformed(`its line is longer than ${longestLine} bytes`)
  }
  const source = sourceOfLine(line.slice(0, end))
  return Result.isSuccess(source) ? complete(source.success, end + 2) : Result.fail(source.failure)
}

const sourceOfLine = (line: string): Result.Result<Source, MalformedProxyHeader> => {
  const [, family = "", ...fields] = line.split(" ")
  // §2.1: the rest of the line is ignored.
  if (family === "UNKNOWN") return Result.succeed(undefined)
  const parse = families.get(family)
  if (parse === undefined) return malformed("its family is not TCP4, TCP6 or UNKNOWN")
  if (fields.length !== 4 || !fields.slice(2).every(isPort))
    return malformed("it has not two addresses and two ports")
  const [source, destination] = fields.slice(0, 2).map(parse) as [Parsed, Parsed]
  if (Result.isFailure(source) || Result.isFailure(destination))
    return malformed(`an address is not one of ${family}`)
  return Result.succeed(inet(source.success, Number(fields[2])))
}

type Parsed = ReturnType<typeof NetAddress.ipFromString>

const families: ReadonlyMap<string, (text: string) => Parsed> = new Map<string, (text: string) => Parsed>([
  ["TCP4", NetAddress.ipv4FromString],
  ["TCP6", NetAddress.ipv6FromString]
])

/** Decimal, without leading zeros. */
const isPort = (text: string): boolean => /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535

// Version 2 ------------------------------------------------------------------

/** The most bytes behind the first 16. A header can announce 65535; proxies send a few hundred bytes of TLVs. */
const longestBody = 4096

const Command = { Local: 0x20, Proxy: 0x21 } as const
const Family = { Unspecified: 0x0, Inet: 0x1, Inet6: 0x2, Unix: 0x3 } as const
const Transport = { Stream: 0x1, Datagram: 0x2 } as const

/** §2.2: `SIGNATURE VER|CMD FAM|TRANSPORT LENGTH`, addresses, TLVs. */
const binary: typeof header = (bytes) => {
  const command = bytes[12]!
  const family = bytes[13]! >> 4
  const transport = bytes[13]! & 0x0f
  const length = (bytes[14]! << 8) | bytes[15]!
  const end = 16 + length
  if (command !== Command.Local && command !== Command.Proxy)
    return malformed("its version or command is unknown")
  if (length > longestBody) return malformed(`its body is longer than ${longestBody} bytes`)
  // §2.2: a connection of the proxy itself, such as a health check. The family is ignored.
  if (command === Command.Local) return bytes.length < end ? incomplete : complete(undefined, end)
  if (family > Family.Unix || transport > Transport.Datagram)
    return malformed("its address family is unknown")
  if (length < addressesLength[family]!) return malformed("its body is shorter than its addresses")
  if (bytes.length < end) return incomplete
  return complete(transport === Transport.Stream ? sourceOfBody(family, bytes.subarray(16)) : undefined, end)
}

/** Bytes of the addresses, by family: two addresses and two ports, or two paths. */
const addressesLength: ReadonlyArray<number> = [0, 12, 36, 216]

const sourceOfBody = (family: number, body: Uint8Array): Source => {
  switch (family) {
    case Family.Inet:
      return inet(NetAddress.ipv4FromBytesUnsafe(body.slice(0, 4)), portAt(body, 8))
    case Family.Inet6:
      return inet(NetAddress.ipv6FromBytesUnsafe(body.slice(0, 16)), portAt(body, 32))
    default:
      return undefined
  }
}

const portAt = (bytes: Uint8Array, index: number): number => (bytes[index]! << 8) | bytes[index + 1]!

// Both -----------------------------------------------------------------------

/** An IPv4-mapped IPv6 address becomes the IPv4 address. */
const inet = (address: NetAddress.IpAddress, port: number): NetAddress.InetAddress =>
  NetAddress.inetAddressUnsafe(NetAddress.toCanonical(address), port)

const malformed = (reason: string) => Result.fail(new MalformedProxyHeader({ reason }))
