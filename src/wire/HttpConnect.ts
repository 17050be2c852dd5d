/**
 * CONNECT of HTTP from the side of a client (RFC 9110 §9.3.6), and what a proxy's response tells of the target.
 */
import * as Base64 from "effect/encoding/Base64"
import { type Fields, values } from "./Http.ts"
import type { Credentials } from "./Socks5.ts"
import * as Target from "./Target.ts"

/** The head of a CONNECT request. `via` are the proxies that have asked for the tunnel (RFC 9110 §7.6.3). */
export const request = (
  target: Target.Target,
  credentials: Credentials | undefined,
  via?: string | undefined
): Uint8Array => {
  const authority = Target.format(target)
  const lines = [
    `CONNECT ${authority} HTTP/1.1`,
    `Host: ${authority}`,
    ...(via === undefined ? [] : [`Via: ${via}`]),
    ...(credentials ? [`Proxy-Authorization: ${basic(credentials)}`] : [])
  ]
  return ascii.encode(`${lines.join("\r\n")}\r\n\r\n`)
}

/** The value of Proxy-Authorization (RFC 7617). */
export const basic = ({ username, password }: Credentials): string =>
  `Basic ${Base64.encode(Uint8Array.of(...username, 0x3a, ...password))}`

/**
 * The error type that the nearest proxy gives in Proxy-Status (RFC 9209 §2): the last member of the list is the proxy
 * that is nearest to this server. Undefined without one.
 */
export const errorType = (fields: Fields): string | undefined => {
  const unquoted = values(fields, "proxy-status")
    .join(",")
    .replace(/"(?:[^"\\]|\\.)*"/g, "")
  const last = unquoted.split(",").at(-1) ?? ""
  return /;[\t ]*error=([a-z_]{1,64})/.exec(last)?.[1]
}

const ascii = new TextEncoder()
