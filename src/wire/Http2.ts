/**
 * The head of an HTTP/2 request (RFC 9113 §8), as the head of an HTTP/1 request that means the same. HTTP/2 permits bytes
 * that could end a line or a request in HTTP/1, so all of it is checked here, and a request that could be read in two ways
 * is refused.
 */
import * as Result from "effect/Result"
import { HeadTooLarge, MalformedRequest } from "../Errors.ts"
import { type Fields, type Head, values } from "./Http.ts"
import * as HttpHead from "./HttpHead.ts"
import { printable } from "./Text.ts"

/** The version of these heads, as `Via` has it. */
export const version = "2"

/**
 * The head of a request from its field lines: names and values by turns, the pseudo-fields first, one character for each
 * byte. With `hasBody`, DATA frames may follow; a body without Content-Length gets Transfer-Encoding, by which it is
 * framed for the origin. The target is an absolute URI, or the authority of CONNECT; of an extended CONNECT (RFC 8441), whose
 * authority is this server, it is the path.
 */
export const request = (
  lines: ReadonlyArray<string>,
  hasBody: boolean
): Result.Result<Head, MalformedRequest | HeadTooLarge> => {
  const read = split(lines)
  if (typeof read === "string") return malformed(read)
  const { pseudo, fields } = read
  if (fields.length > HttpHead.requestFields || read.size > HttpHead.sizeLimit) {
    return Result.fail(new HeadTooLarge())
  }
  const { ":method": method, ":authority": authority, ":path": path, ":scheme": scheme } = pseudo
  if (method === undefined || !HttpHead.isToken(method)) return malformed("no :method")
  if (authority === undefined || !isAuthority.test(authority)) return malformed("no :authority")
  const isConnect = method === "CONNECT"
  const protocol = pseudo[":protocol"]
  if (protocol !== undefined && !isConnect) return malformed(":protocol without CONNECT")
  const isTunnel = isConnect && protocol === undefined
  if (isTunnel ? (path ?? scheme) !== undefined : path === undefined || scheme === undefined) {
    return malformed(isTunnel ? "CONNECT with :scheme or :path" : "no :scheme or no :path")
  }
  if (!values(fields, "host").every((host) => isSame(host, authority, isTunnel))) {
    return malformed("Host and :authority differ")
  }
  const target = isTunnel ? authority : isConnect ? path! : `${scheme}://${authority}${pathOf(method, path!)}`
  if (!/^[\x21-\x7e\x80-\xff]+$/.test(target))
    return malformed("a space or a control character in the target")
  const lengths = values(fields, "content-length")
  if (!hasBody && lengths.some((length) => !/^0+$/.test(length))) {
    return malformed("Content-Length, and no body")
  }
  const isChunked = hasBody && !isConnect && lengths.length === 0
  return Result.succeed({
    method,
    target,
    version,
    ...(protocol !== undefined && { protocol }),
    fields: [
      ...fields.filter(([name]) => name !== "host"),
      ...(isChunked ? ([["transfer-encoding", "chunked"]] as const) : [])
    ]
  })
}

/** The trailers of a request, or what is wrong with them. */
export const trailers = (lines: ReadonlyArray<string>): Fields | string => {
  const read = split(lines)
  if (typeof read === "string") return read
  if (Object.keys(read.pseudo).length > 0) return "a pseudo-field in the trailers"
  const isMuch = read.fields.length > HttpHead.requestFields || read.size > HttpHead.sizeLimit
  return isMuch ? "trailers that are too large" : read.fields
}

interface Split {
  readonly pseudo: Readonly<Partial<Record<string, string>>>
  readonly fields: Fields
  /** The bytes of all lines, as HTTP/1 has them. */
  readonly size: number
}

/** The pseudo-fields and the fields, or what is wrong with them. The pieces of Cookie become one (RFC 9113 §8.2.3). */
const split = (lines: ReadonlyArray<string>): Split | string => {
  const pseudo: Record<string, string> = {}
  const fields: Array<readonly [string, string]> = []
  const cookies: Array<string> = []
  let size = 0
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [name, value] = [lines[i]!, lines[i + 1]!]
    size += name.length + value.length + 4
    if (HttpHead.isControlled(value)) return `a control character in ${printable(name, 40)}`
    if (name.startsWith(":")) {
      if (!known.has(name)) return `an unknown pseudo-field: ${printable(name, 40)}`
      if (pseudo[name] !== undefined) return `more than one ${name}`
      if (fields.length > 0 || cookies.length > 0) return `${name} behind a field`
      pseudo[name] = value
      continue
    }
    if (!HttpHead.isToken(name) || /[A-Z]/.test(name)) return `not a field name: ${printable(name, 40)}`
    if (ofConnection.has(name) || (name === "te" && value.toLowerCase() !== "trailers")) {
      return `${name}, which HTTP/2 does not have`
    }
    if (name === "cookie") cookies.push(value)
    else fields.push([name, value])
  }
  if (cookies.length > 0) fields.push(["cookie", cookies.join("; ")])
  return { pseudo, fields, size }
}

const known: ReadonlySet<string> = new Set([":method", ":scheme", ":authority", ":path", ":protocol"])

/** Fields of a connection of HTTP/1 (RFC 9113 §8.2.2). */
const ofConnection: ReadonlySet<string> = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade"
])

/** What cannot be taken for another part of a URI. */
const isAuthority = /^[^/?#@\\]+$/

/** Whether Host names the same as `:authority`, which alone decides. The port may be left out. */
const isSame = (host: string, authority: string, isTunnel: boolean): boolean => {
  const port = isTunnel ? /:\d*$/ : /:(?:80)?$/
  const [one, other] = [host.toLowerCase(), authority.toLowerCase()]
  return one === other || one.replace(port, "") === other.replace(port, "")
}

/** An asterisk is for the server, which a URI has without a path (RFC 9112 §3.2.4). */
const pathOf = (method: string, path: string): string =>
  path === "*" && method === "OPTIONS" ? "" : path.startsWith("/") ? path : `/${path}`

const malformed = (reason: string) => Result.fail(new MalformedRequest({ reason }))
