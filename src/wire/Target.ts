/**
 * Where a client wants to go: an IP address or a domain name, and a port. A host is parsed once, here, into a type
 * that cannot hold a bad one: resolvers cut names at a NUL, `getaddrinfo` reads `0x7f.1` and `2130706433` as
 * 127.0.0.1, and to `net.connect` an empty host is localhost. None of these becomes a `Target`, so nothing behind
 * this file needs to think of them.
 *
 * **When to use**
 *
 * Use `Target.format` to write the target of a request as the log does.
 *
 * **Example** (The target of the session)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { CurrentSession, Target } from "effect-socks"
 *
 * const target = Effect.map(
 *   CurrentSession,
 *   (session) => session?.admitted && Target.format(session.admitted.request.target)
 * )
 * ```
 */
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Result from "effect/Result"
import { InvalidTarget } from "../Errors.ts"
import { printable } from "./Text.ts"

export interface Target {
  readonly host: NetAddress.IpAddress | Host.DomainName
  /** 0 to 65535; whether 0 means anything is for the command to say. */
  readonly port: number
}

/** A target from an address in network byte order: 4 bytes for IPv4, 16 for IPv6. */
export const fromAddress = (bytes: Uint8Array, port: number): Result.Result<Target, InvalidTarget> => {
  const address =
    bytes.length === 4 ? NetAddress.ipv4FromBytesUnsafe(bytes) : NetAddress.ipv6FromBytesUnsafe(bytes)
  return Result.succeed({ host: NetAddress.toCanonical(address), port })
}

/**
 * A target from the bytes of a host name. An address in text form becomes an
 * address. Names are lower-cased, lose one trailing dot and must be LDH labels
 * (RFC 1123 §2.1, underscores allowed) of which the last is no number; others
 * than ASCII ones are converted as browsers do (UTS 46).
 */
export const fromName = (bytes: Uint8Array, port: number): Result.Result<Target, InvalidTarget> => {
  const text = decodeUtf8(bytes)
  const invalid = (reason: string) =>
    Result.fail(new InvalidTarget({ target: `${printable(bytes)}:${port}`, reason }))
  if (text === undefined) return invalid("the host name is not UTF-8")
  if (text.length === 0) return invalid("the host name is empty")
  const host = Host.hostFromString(text)
  if (Result.isFailure(host)) return invalid(`not a host name: ${host.failure.message}`)
  if (NetAddress.isIpAddress(host.success)) {
    return Result.succeed({ host: NetAddress.toCanonical(host.success), port })
  }
  if (NetAddress.isScopedIpv6Literal(host.success)) return invalid("zone identifiers mean nothing here")
  if (host.success === ".") return invalid("the root is no host")
  return Result.succeed({ host: Host.toRelative(host.success), port })
}

/** The client named no place: all zeros. */
export const unspecified: Target = { host: NetAddress.ipv4Unspecified, port: 0 }

/** `host:port`, IPv6 in brackets. */
export const format = ({ host, port }: Target): string =>
  `${NetAddress.isIpv6Address(host) ? `[${Host.formatHost(host)}]` : Host.formatHost(host)}:${port}`

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const decodeUtf8 = (bytes: Uint8Array): string | undefined => {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}
