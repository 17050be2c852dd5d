/**
 * SOCKS4 and SOCKS4A messages from the side of a client. `Socks4.ts` has the side of a server.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { complete, type Decoder, incomplete } from "./Decoder.ts"
import type { Target } from "./Target.ts"

/** A target that fits into a request: SOCKS4 has no IPv6. */
export type Socks4Target = Target & { readonly host: NetAddress.Ipv4Address | string }

/** `VN CD DSTPORT DSTIP USERID NUL`, for a name with DSTIP 0.0.0.1 and `HOST NUL` behind it (SOCKS4A). */
export const request = (command: number, { host, port }: Socks4Target, userId: Uint8Array): Uint8Array => {
  const isName = typeof host === "string"
  const address = isName ? [0, 0, 0, 1] : NetAddress.ipv4ToOctets(host as NetAddress.Ipv4Address)
  const name = isName ? [...ascii.encode(host), 0] : []
  return Uint8Array.of(0x04, command, port >> 8, port & 0xff, ...address, ...userId, 0, ...name)
}

/** Codes of a reply that tell of the user id. */
export const ReplyCode = { NoIdent: 0x5c, OtherIdent: 0x5d } as const

/** A reply, with the address that it has. */
export interface Reply {
  readonly code: number
  readonly bound: NetAddress.InetAddress
}

/** Reads `VN CD DSTPORT DSTIP`. VN is 0; some servers write 4. Fails with the reason. */
export const reply: Decoder<Reply, string> = (bytes) => {
  const [ver, code] = bytes
  if (ver === undefined) return incomplete
  if (ver !== 0x00 && ver !== 0x04) return Result.fail(`version ${ver} of the reply is not 0`)
  if (code === undefined || bytes.length < 8) return incomplete
  const address = NetAddress.ipv4FromBytesUnsafe(bytes.slice(4, 8))
  return complete({ code, bound: NetAddress.inetAddressUnsafe(address, (bytes[2]! << 8) | bytes[3]!) }, 8)
}

const ascii = new TextEncoder()
