/**
 * The meaning of HTTP requests for a proxy (RFC 9110, RFC 9112): their destination, their credentials, their framing.
 * `HttpHead` parses heads, and `HttpFraming` finds where bodies end.
 */
import * as Base64 from "effect/encoding/Base64"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import {
  type InvalidTarget,
  MalformedCredentials,
  MalformedRequest,
  MethodNotAllowed,
  NotForProxy
} from "../Errors.ts"
import type { Credentials } from "./Socks5.ts"
import * as Target from "./Target.ts"

const utf8 = new TextEncoder()

/** Field lines, in the order and with the names of the message. */
export type Fields = ReadonlyArray<readonly [name: string, value: string]>

/** The head of a request. */
export interface Head {
  readonly method: string
  /** The request-target as the client sent it. */
  readonly target: string
  /** `1.1`, `1.0` or, for a request of HTTP/2, `2`. */
  readonly version: string
  readonly fields: Fields
  /** The protocol that an extended CONNECT asks for (RFC 8441 §4). */
  readonly protocol?: string
}

/** The destination of a request: a tunnel to the target, or a resource that this server requests for the client. */
export type Destination =
  | { readonly _tag: "Tunnel"; readonly target: Target.Target }
  | { readonly _tag: "Resource"; readonly target: Target.Target; readonly path: string }

/** The target of `host:port`. Without a default port, the port must be there. */
export type ReadAuthority = (
  text: string,
  defaultPort?: number
) => Result.Result<Target.Target, MalformedRequest | InvalidTarget>

/** Remembers the last target: most requests of a connection go to the same one. */
export const remembering = (): ReadAuthority => {
  let last:
    | { readonly text: string; readonly defaultPort: number | undefined; readonly target: Target.Target }
    | undefined
  return (text, defaultPort) => {
    if (last?.text === text && last.defaultPort === defaultPort) return Result.succeed(last.target)
    const target = authority(text, defaultPort)
    if (Result.isSuccess(target)) last = { text, defaultPort, target: target.success }
    return target
  }
}

/**
 * The destination of a request. Fails for a malformed request-target (RFC 9112 §3.2). The request-target alone decides;
 * the Host field is ignored (RFC 9112 §3.2.2).
 */
export const destination = (
  head: Head,
  read: ReadAuthority = authority
): Result.Result<Destination, MalformedRequest | InvalidTarget | NotForProxy | MethodNotAllowed> => {
  const hosts = values(head.fields, "host")
  const isTunnel = head.method === "CONNECT"
  if (!/^(?:1\.[01]|2)$/.test(head.version)) return malformed("the version is not HTTP/1")
  if (hosts.length > 1) return malformed("more than one Host")
  if (hosts.length === 0 && head.version === "1.1" && !isTunnel) return malformed("no Host")
  if (isTunnel) {
    if (isFramed(head.fields)) return malformed("CONNECT with a body")
    return Result.map(read(head.target), (target) => ({ _tag: "Tunnel", target }))
  }
  if (head.target.startsWith("/") || head.target === "*") return Result.fail(new NotForProxy())
  // A target could send back the credentials that a script must not see (RFC 9110 §9.3.8).
  if (head.method === "TRACE") return Result.fail(new MethodNotAllowed({ method: head.method }))
  if (head.target.includes("#")) return malformed("the request-target has a fragment")
  const [, scheme, host, path] = /^([a-z][a-z\d+.-]*):\/\/([^/?]*)(.*)$/i.exec(head.target) ?? []
  if (scheme === undefined) return malformed("the request-target is no absolute URI")
  // Some clients ask for WebSocket by its own scheme, which has the same port (RFC 6455 §3).
  if (!/^(?:http|ws)$/i.test(scheme)) return malformed("only http: is forwarded, others need CONNECT")
  return Result.map(read(host!, 80), (target) => ({
    _tag: "Resource",
    target,
    path: path === "" && head.method === "OPTIONS" ? "*" : path!.startsWith("/") ? path! : `/${path}`
  }))
}

/**
 * The authority by which a client reaches this server itself, as `HOST:PORT`; undefined if the request names none. `port`
 * is the port of the scheme.
 */
export const ownAuthority = (head: Head, port: number): string | undefined => {
  const [host, ...others] = values(head.fields, "host")
  if (host === undefined || others.length > 0) return undefined
  return Option.getOrUndefined(Result.getSuccess(Result.map(authority(host, port), Target.format)))
}

/** The target of `host:port`, IPv6 in brackets. Refuses user information, as RFC 9110 §4.2.4 advises. */
const authority: ReadAuthority = (text, defaultPort) => {
  const [whole, ipv6, name, digits] = /^(?:\[([^\]]*)\]|([^:@[\]]*))(?::(\d{0,5}))?$/.exec(text) ?? []
  const port = digits ? Number(digits) : defaultPort
  if (whole === undefined) return malformed("the authority is not HOST:PORT")
  if (port === undefined) return malformed("no port")
  if (port > 65_535) return malformed("the port is above 65535")
  const target = Target.fromName(utf8.encode(ipv6 ?? name), port)
  if (ipv6 === undefined || Result.isFailure(target)) return target
  // `fromName` turns an IPv4-mapped address into IPv4, and takes names, too: so the colon is checked here.
  return ipv6.includes(":") && NetAddress.isIpAddress(target.success.host)
    ? target
    : malformed("brackets are for IPv6")
}

/** The user and the password of `Basic` credentials (RFC 7617); the first colon ends the user. */
export const basic = (value: string): Result.Result<Credentials, MalformedCredentials> => {
  const [, token] = /^basic +([\w+/.~-]+=*)$/i.exec(value) ?? []
  if (token === undefined) return badCredentials("the scheme is not Basic")
  const decoded = Base64.decode(token)
  if (Result.isFailure(decoded)) return badCredentials("not Base64")
  const bytes = decoded.success
  const colon = bytes.indexOf(0x3a)
  if (colon === -1) return badCredentials("no colon")
  const [username, password] = [bytes.slice(0, colon), bytes.slice(colon + 1)]
  // The bounds of RFC 1929: authenticators count on them.
  if (username.length > 255 || password.length > 255) return badCredentials("more than 255 bytes")
  return Result.succeed({ username, password })
}

/** Whether the fields announce a body. */
export const isFramed = (fields: Fields): boolean =>
  fields.some(([name, value]) => /^transfer-encoding$/i.test(name) || (isLength(name) && Number(value) > 0))

/** Whether the text is a reason phrase, with one character for each byte (RFC 9112 §4). */
export const isReason = (text: string): boolean => /^[\t\x20-\x7e\x80-\xff]*$/.test(text)

/** The values of the field with this lower-case name: one for each of its lines. */
export const values = (fields: Fields, wanted: string): ReadonlyArray<string> => {
  // Each request is searched a dozen times, mostly for what is not there: so nothing is made before something is found.
  let found: Array<string> | undefined
  for (const [name, value] of fields) {
    if (name.length !== wanted.length || name.toLowerCase() !== wanted) continue
    if (found === undefined) found = [value]
    else found.push(value)
  }
  return found ?? none
}

const none: ReadonlyArray<string> = []

/** The options in all lines of a field that is a list of tokens, such as Connection, in lower case. */
export const options = (fields: Fields, wanted: string): ReadonlyArray<string> => {
  const lines = values(fields, wanted)
  return lines.length === 0 ? none : lines.flatMap((line) => list(line.toLowerCase()))
}

/** The parts of a list, without the space around them. A pattern for both would take quadratic time on long spaces. */
export const list = (line: string): ReadonlyArray<string> =>
  line.split(",").map((part) => trimmed(part, 0, part.length))

/** The text from `start` to `end` without spaces and tabs at its ends. `trim` would remove 0xa0, too. */
export const trimmed = (text: string, start: number, end: number): string => {
  let [from, to] = [start, end]
  while (from < to && isSpace(text.charCodeAt(from))) from++
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

/** Whether the code is that of a space or a tab. */
export const isSpace = (code: number): boolean => code === 0x20 || code === 0x09

/** A response by this server itself. */
export interface Answer {
  readonly status: number
  readonly fields: Fields
  readonly body: string
}

/** The response to CONNECT; the bytes of the tunnel follow at once (RFC 9110 §9.3.6). */
export const established = utf8.encode("HTTP/1.1 200 Connection established\r\n\r\n")

const isLength = (name: string) => name.toLowerCase() === "content-length"

const malformed = (reason: string) => Result.fail(new MalformedRequest({ reason }))

const badCredentials = (reason: string) => Result.fail(new MalformedCredentials({ reason }))
