/**
 * SOCKS4 messages, with the host names of SOCKS4A.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { type InvalidTarget, MalformedRequest } from "../Errors.ts"
import { complete, type Decoder, incomplete } from "./Decoder.ts"
import * as Target from "./Target.ts"

const version = 0x04

export const Command = { Connect: 0x01, Bind: 0x02 } as const

export const ReplyCode = { Granted: 0x5a, Rejected: 0x5b } as const

/** The most bytes of a user id or host name. NUL ends both, so the protocol has no limit. */
const limit = 255

interface Request {
  readonly command: number
  readonly target: Result.Result<Target.Target, InvalidTarget>
  /** The bytes that the client sent, unverified. */
  readonly userId: Uint8Array
}

/**
 * `VN CD DSTPORT DSTIP USERID NUL`. Where DSTIP is 0.0.0.x with x not 0, `HOST NUL` follows (SOCKS4A).
 */
export const request: Decoder<Request, MalformedRequest> = (bytes) => {
  const [ver, command] = bytes
  if (ver === undefined) return incomplete
  if (ver !== version) return malformed(`version ${ver} is not 4`)
  if (command === undefined || bytes.length < 9) return incomplete
  const userEnd = endOfText(bytes, 8)
  if (userEnd === undefined) return unended(bytes, 8, "the user id")
  const port = (bytes[2]! << 8) | bytes[3]!
  const userId = bytes.slice(8, userEnd)
  const isNamed = bytes[4] === 0 && bytes[5] === 0 && bytes[6] === 0 && bytes[7] !== 0
  if (!isNamed)
    return complete({ command, userId, target: Target.fromAddress(bytes.slice(4, 8), port) }, userEnd + 1)
  const hostStart = userEnd + 1
  const hostEnd = endOfText(bytes, hostStart)
  if (hostEnd === undefined) return unended(bytes, hostStart, "the host name")
  const target = Target.fromName(bytes.slice(hostStart, hostEnd), port)
  return complete({ command, userId, target }, hostEnd + 1)
}

/** `VN CD DSTPORT DSTIP`; VN is 0 in replies. An IPv6 address does not fit, and is written as zeros. */
export const reply = (code: number, bound: NetAddress.InetAddress): Uint8Array => {
  const address = NetAddress.toCanonical(bound.address)
  const octets = NetAddress.isIpv4Address(address) ? NetAddress.ipv4ToOctets(address) : [0, 0, 0, 0]
  return Uint8Array.of(0x00, code, bound.port >> 8, bound.port & 0xff, ...octets)
}

const endOfText = (bytes: Uint8Array, start: number): number | undefined => {
  const end = bytes.subarray(start, start + limit + 1).indexOf(0)
  return end === -1 ? undefined : start + end
}

const unended = (bytes: Uint8Array, start: number, what: string) =>
  bytes.length - start > limit ? malformed(`${what} is longer than ${limit} bytes`) : incomplete

const malformed = (reason: string) => Result.fail(new MalformedRequest({ reason }))
