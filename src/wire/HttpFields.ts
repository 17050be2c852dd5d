/**
 * The fields of a message that a proxy passes on (RFC 9110 §7.6).
 */
import type { Fields, Head } from "./Http.ts"
import { values } from "./Http.ts"
import * as Target from "./Target.ts"

/** Fields for this connection or this proxy only. Each connection has framing fields of its own. */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade"
])

/** The fields of a request to the target: Host names the target, and the connection closes after the request. */
export const request = (head: Head, target: Target.Target, pseudonym: string): Fields => {
  const framing = length(head.fields)
  return [
    ["Host", host(target)],
    ...endToEnd(head.fields).filter(([name]) => name.toLowerCase() !== "host"),
    ["Via", `${head.version} ${pseudonym}`],
    ...(values(head.fields, "transfer-encoding").length > 0
      ? ([["Transfer-Encoding", "chunked"]] as const)
      : framing.length > 0 || bodiless.has(head.method)
        ? framing
        : ([["Content-Length", "0"]] as const)),
    ["Connection", "close"]
  ]
}

/** The fields of a response to the client. Without a length, Node frames the response when it writes it. */
export const response = (fields: Fields, status: number, version: string, pseudonym: string): Fields => [
  ...endToEnd(fields),
  ["Via", `${version} ${pseudonym}`],
  ...(status === 204 || values(fields, "transfer-encoding").length > 0 ? [] : length(fields))
]

/** The trailers that are safe to pass on after the head of the message was acted on (RFC 9110 §6.5.1). */
export const trailers = (fields: Fields): Fields =>
  endToEnd(fields).filter(([name]) => !/^(host|authorization|cookie|set-cookie|trailer|via)$/i.test(name))

/** Whether `Via` has this server's pseudonym, so that the request has passed this server (RFC 9110 §7.6.3). */
export const hasPassed = (fields: Fields, pseudonym: string): boolean =>
  values(fields, "via").some((line) =>
    line.split(",").some((hop) => hop.trim().split(/\s+/)[1] === pseudonym)
  )

const endToEnd = (fields: Fields): Fields => {
  const named = new Set(
    values(fields, "connection").flatMap((line) =>
      line.split(",").map((option) => option.trim().toLowerCase())
    )
  )
  return fields.filter(([name]) => !hopByHop.has(name.toLowerCase()) && !named.has(name.toLowerCase()))
}

const length = (fields: Fields): Fields =>
  values(fields, "content-length").map((value) => ["Content-Length", value])

/** Methods whose requests need no Content-Length without a body (RFC 9110 §8.6). */
const bodiless: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "OPTIONS"])

const host = (target: Target.Target): string => {
  const text = Target.format(target)
  return target.port === 80 ? text.slice(0, -":80".length) : text
}
