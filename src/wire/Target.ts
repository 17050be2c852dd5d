/**
 * The target of a request: an IP address or a domain name, and a port. This file alone parses hosts, into a type that
 * cannot hold a dangerous host. Resolvers cut names at a NUL, `getaddrinfo` reads `0x7f.1` and `2130706433` as
 * 127.0.0.1, and `net.connect` takes an empty host for localhost. No such host becomes a `Target`.
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
  /** 0 to 65535. Each command decides whether 0 is valid. */
  readonly port: number
}

/** A target from the bytes of an address in network byte order: 4 bytes for IPv4, 16 for IPv6. */
export const fromAddress = (bytes: Uint8Array, port: number): Result.Result<Target, InvalidTarget> => {
  const address =
    bytes.length === 4 ? NetAddress.ipv4FromBytesUnsafe(bytes) : NetAddress.ipv6FromBytesUnsafe(bytes)
  return Result.succeed({ host: NetAddress.toCanonical(address), port })
}

/**
 * A target from the bytes of a host name, in UTF-8. An address in text form becomes an address. Names become lower-case
 * and lose one trailing dot. Their labels must be letters, digits and hyphens (RFC 1123 §2.1; underscores are allowed),
 * and the last label must not be a number. Names with other characters are converted as browsers do (UTS 46).
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
  if (NetAddress.isScopedIpv6Literal(host.success)) return invalid("the address has a zone identifier")
  if (host.success === ".") return invalid("the root domain is no host")
  return Result.succeed({ host: Host.toRelative(host.success), port })
}

/** The target of a client that names none: address and port are zeros. */
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
