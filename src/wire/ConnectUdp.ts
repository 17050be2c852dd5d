/**
 * CONNECT-UDP: a request for datagrams with one target (RFC 9298), by extended CONNECT of HTTP/2 (RFC 8441) or by an
 * upgrade of HTTP/1.1.
 */
import * as Result from "effect/Result"
import { type InvalidTarget, MalformedRequest, type MethodNotAllowed, type NotForProxy } from "../Errors.ts"
import * as Http from "./Http.ts"
import * as Target from "./Target.ts"

/** The protocol that is asked for (RFC 9298 §3). */
export const protocol = "connect-udp"

/** Whether the request asks for datagrams. */
export const isAsked = ({ method, target, version, protocol: asked, fields }: Http.Head): boolean =>
  asked === protocol ||
  (version === "1.1" &&
    method === "GET" &&
    target.startsWith(prefix) &&
    Http.options(fields, "connection").includes("upgrade") &&
    Http.options(fields, "upgrade").includes(protocol))

/** The destination of a request, which may be one for datagrams. */
export const destination = (
  head: Http.Head,
  read?: Http.ReadAuthority
): Result.Result<
  Http.Destination | { readonly _tag: "Datagrams"; readonly target: Target.Target },
  MalformedRequest | InvalidTarget | NotForProxy | MethodNotAllowed
> => {
  if (!isAsked(head)) {
    return head.protocol === undefined
      ? Http.destination(head, read)
      : malformed(`only ${protocol} is served`)
  }
  if (Http.isFramed(head.fields)) return malformed("a body in front of datagrams")
  return Result.map(target(head.target), (target) => ({ _tag: "Datagrams", target }))
}

/** The target in the path `/.well-known/masque/udp/HOST/PORT/`, whose parts are percent-encoded (RFC 9298 §2). */
export const target = (path: string): Result.Result<Target.Target, MalformedRequest | InvalidTarget> => {
  const [, host, digits] = /^\/\.well-known\/masque\/udp\/([^/?#]+)\/(\d{1,5})\/?$/.exec(path) ?? []
  if (host === undefined) return malformed(`the path is not ${prefix}HOST/PORT/`)
  const port = Number(digits)
  if (port === 0 || port > 65_535) return malformed("the port is not 1 to 65535")
  const bytes = decoded(host)
  return bytes === undefined ? malformed("the host is not percent-encoded") : Target.fromName(bytes, port)
}

/** The fields of a response that grants the request. */
export const granted: Http.Fields = [["Capsule-Protocol", "?1"]]

/** The response that grants the request in HTTP/1.1; capsules follow at once. */
export const switching: Uint8Array = new TextEncoder().encode(
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\nCapsule-Protocol: ?1\r\n\r\n`
)

const prefix = "/.well-known/masque/udp/"

/** The bytes of a percent-encoded text (RFC 3986 §2.1). */
const decoded = (text: string): Uint8Array | undefined => {
  if (/%(?![\da-f]{2})/i.test(text)) return undefined
  return Uint8Array.from(
    text.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    (character) => character.charCodeAt(0)
  )
}

const malformed = (reason: string) => Result.fail(new MalformedRequest({ reason }))
