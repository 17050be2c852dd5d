/**
 * The fields of a message that a proxy passes on (RFC 9110 §7.6).
 */
import type { Fields, Head } from "./Http.ts"
import { options, values } from "./Http.ts"
import type { ResponseHead } from "./HttpHead.ts"
import * as Target from "./Target.ts"

/** Fields for this connection or this proxy only. Each connection has framing fields of its own. */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade"
])

/** The fields of a request to the target. Host names the target; with `isUpgrade` the request asks for WebSocket. */
export const request = (head: Head, target: Target.Target, pseudonym: string, isUpgrade = false): Fields => {
  const { fields, method, version } = head
  const passed: Array<Fields[number]> = [["Host", host(target)]]
  for (const field of endToEnd(fields)) {
    const name = field[0].toLowerCase()
    if (isExcluded(head, name)) continue
    passed.push(method === "OPTIONS" && name === "max-forwards" ? [field[0], fewerHops(field[1])] : field)
  }
  passed.push(["Via", `${version} ${pseudonym}`])
  const framing = length(fields)
  if (values(fields, "transfer-encoding").length > 0) passed.push(["Transfer-Encoding", "chunked"])
  else if (framing !== undefined) passed.push(framing)
  else if (!bodiless.has(method)) passed.push(["Content-Length", "0"])
  return isUpgrade ? [...passed, ...switching] : passed
}

/** The fields of a final response to the client, without those of its connection. */
export const response = (head: ResponseHead, pseudonym: string): Fields => {
  const { fields, status } = head
  const passed = interim(head, pseudonym)
  const framing = length(fields)
  return framing === undefined || status === 204 || values(fields, "transfer-encoding").length > 0
    ? passed
    : [...passed, framing]
}

/** The fields of an interim response to the client. */
export const interim = ({ fields, version }: ResponseHead, pseudonym: string): Fields => [
  ...endToEnd(fields),
  ["Via", `${version} ${pseudonym}`]
]

/** The fields of a response to the client that switches to WebSocket. */
export const upgraded = ({ fields }: ResponseHead): Fields => [...endToEnd(fields), ...switching]

/**
 * Whether the fields ask for WebSocket, or agree to it (RFC 6455 §4.1). Other protocols are not switched to: a request
 * for one is passed on without it.
 */
export const isUpgrade = (fields: Fields): boolean =>
  options(fields, "connection").includes("upgrade") && options(fields, "upgrade").includes("websocket")

/** Whether the origin's connection stays open behind the response (RFC 9112 §9.3). */
export const isPersistent = ({ fields, version }: ResponseHead): boolean => {
  const said = options(fields, "connection")
  return !said.includes("close") && (version === "1.1" || said.includes("keep-alive"))
}

/** Whether the request goes no further than to this server (RFC 9110 §7.6.2). */
export const isLastHop = ({ method, fields }: Head): boolean =>
  method === "OPTIONS" && values(fields, "max-forwards").some((value) => /^0+$/.test(value))

/** Whether requests with these fields authenticate the connection, and not only themselves (RFC 4559 §6). */
export const authenticatesConnection = (fields: Fields): boolean =>
  values(fields, "authorization").some((value) => ofConnection.test(value))

/** Whether the response asks the client to authenticate its connection. */
export const asksForConnection = (fields: Fields): boolean =>
  values(fields, "www-authenticate").some((value) => ofConnection.test(value))

/** Schemes that authenticate a connection. `Kerberos` is another name for Negotiate. */
const ofConnection = /^(?:ntlm|negotiate|kerberos)(?:[\t ]|$)/i

/** Whether a request may be sent again when it may have been heard: it changes nothing more then (RFC 9110 §9.2.2). */
export const isRepeatable = (method: string): boolean => repeatable.has(method)

/** The trailers that are safe to pass on after the head of the message was acted on (RFC 9110 §6.5.1). */
export const trailers = (fields: Fields): Fields =>
  endToEnd(fields).filter(([name]) => !/^(host|authorization|cookie|set-cookie|trailer|via)$/i.test(name))

/** What `Via` has in front of this server's pseudonym: the proxies before it, and the version of the request. */
export const via = ({ fields, version }: Head): string => {
  const lines = values(fields, "via")
  return lines.length === 0 ? version : `${lines.join(", ")}, ${version}`
}

/** Whether these lines of `Via` have this server's pseudonym, so that the request has passed it (RFC 9110 §7.6.3). */
export const hasPassed = (lines: ReadonlyArray<string>, pseudonym: string): boolean =>
  lines.some((line) => line.split(",").some((hop) => hop.trim().split(/\s+/)[1] === pseudonym))

const endToEnd = (fields: Fields): Fields => {
  const said = options(fields, "connection")
  const named = said.length === 0 ? undefined : new Set(said)
  return fields.filter(([written]) => {
    const name = written.toLowerCase()
    return !hopByHop.has(name) && !named?.has(name)
  })
}

/** One Content-Length: several have the same value (RFC 9110 §8.6). Undefined if there is none. */
const length = (fields: Fields): Fields[number] | undefined => {
  const [value] = values(fields, "content-length")
  return value === undefined ? undefined : ["Content-Length", value.split(",")[0]!.trim()]
}

/** Methods whose requests need no Content-Length without a body (RFC 9110 §8.6). */
const bodiless: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "OPTIONS"])

const repeatable: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])

/** Fields of a request that this server writes itself, or that HTTP/1.0 has not (RFC 9110 §10.1.1). */
const isExcluded = ({ version }: Head, name: string): boolean =>
  name === "host" || (version === "1.0" && name === "expect")

const fewerHops = (value: string): string =>
  /^[1-9]\d{0,8}$/.test(value) ? String(Number(value) - 1) : value

const switching: Fields = [
  ["Connection", "Upgrade"],
  ["Upgrade", "websocket"]
]

/** The request-target of a request to an upstream, in absolute form (RFC 9112 §3.2.2, §3.2.4). */
export const absolute = (target: Target.Target, path: string): string =>
  `http://${host(target)}${path === "*" ? "" : path}`

const host = (target: Target.Target): string => {
  const text = Target.format(target)
  return target.port === 80 ? text.slice(0, -":80".length) : text
}
