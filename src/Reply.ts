/**
 * The reply to a client for each error: a row for each error, a column for each protocol. No other file decides about
 * replies. The table is total over `SessionError`: an error without a row does not compile, nor does a row without an
 * error.
 *
 * **When to use**
 *
 * Use `Reply.answers` to look up the reply to an error: the SOCKS code, the HTTP status and the error type of RFC 9209.
 *
 * **Example** (The reply to a refused connection)
 *
 * ```ts
 * import { Reply } from "effect-socks"
 *
 * const { socks, http } = Reply.answers.ConnectionRefused
 * ```
 */
import * as NetAddress from "effect/net/NetAddress"
import { ConnectFailed, type SessionError, wordsOf } from "./Errors.ts"
import type * as Http from "./wire/Http.ts"
import * as Socks4 from "./wire/Socks4.ts"
import * as Socks5 from "./wire/Socks5.ts"
import { printable } from "./wire/Text.ts"

const { ReplyCode } = Socks5

/** The reply to one error, in each protocol. */
export interface Answer {
  /** The message of RFC 1928 or RFC 1929, and its code. SOCKS4 has one code for all errors. */
  readonly socks: { readonly message: "reply" | "method" | "status" | "none"; readonly code: number }
  /** The status, and the error type of RFC 9209 §2.3. */
  readonly http: { readonly status: number; readonly error: string }
}

const reply = (code: Socks5.ReplyCode, status: number, error: string): Answer => ({
  socks: { message: "reply", code },
  http: { status, error }
})

const silence = (status: number, error: string): Answer => ({
  socks: { message: "none", code: 0 },
  http: { status, error }
})

/** The reply for each error tag. */
export const answers = {
  // No reply: the client is gone, or the protocol is unknown yet.
  ClientGone: silence(400, "http_request_error"),
  HandshakeTimeout: silence(408, "http_request_error"),
  Banned: silence(403, "http_request_denied"),
  UnknownProtocol: silence(400, "http_protocol_error"),
  MalformedProxyHeader: silence(400, "http_protocol_error"),
  TlsFailed: silence(400, "tls_protocol_error"),
  CertificateRefused: silence(403, "http_request_denied"),
  TooManyHandshakes: silence(503, "connection_limit_reached"),

  // Before the request, RFC 1928 §3 and RFC 1929 §2 have messages of their own.
  NoAcceptableMethod: {
    socks: { message: "method", code: Socks5.Method.NoneAcceptable },
    http: { status: 407, error: "http_request_denied" }
  },
  MalformedCredentials: {
    socks: { message: "status", code: 0x01 },
    http: { status: 407, error: "http_request_denied" }
  },
  AuthenticationFailed: {
    socks: { message: "status", code: 0x01 },
    http: { status: 407, error: "http_request_denied" }
  },
  TooManyLogins: {
    socks: { message: "status", code: 0x01 },
    http: { status: 503, error: "proxy_internal_error" }
  },
  AuthenticationUnavailable: {
    socks: { message: "status", code: 0x01 },
    http: { status: 503, error: "proxy_internal_error" }
  },

  MalformedRequest: reply(ReplyCode.GeneralFailure, 400, "http_request_error"),
  CommandNotSupported: reply(ReplyCode.CommandNotSupported, 501, "http_request_denied"),
  AddressTypeNotSupported: reply(ReplyCode.AddressTypeNotSupported, 400, "http_request_error"),
  InvalidTarget: reply(ReplyCode.GeneralFailure, 400, "http_request_error"),

  // Errors of HTTP only.
  HeadTooLarge: silence(431, "http_request_error"),
  NotForProxy: silence(400, "http_request_error"),
  AutoConfigRequested: silence(200, "http_request_error"),
  MethodNotAllowed: silence(405, "http_request_denied"),
  // The client asked for this server's own response, which is no error.
  LastHop: silence(200, ""),

  NotAllowed: reply(ReplyCode.NotAllowed, 403, "http_request_denied"),
  SessionLimitReached: reply(ReplyCode.NotAllowed, 429, "connection_limit_reached"),
  TooManyNewSessions: reply(ReplyCode.NotAllowed, 429, "http_request_denied"),
  QuotaExceeded: reply(ReplyCode.NotAllowed, 429, "http_request_denied"),

  // No SOCKS code means "no such name"; careful servers agree on host unreachable.
  NameNotFound: reply(ReplyCode.HostUnreachable, 502, "dns_error"),
  ResolutionFailed: reply(ReplyCode.HostUnreachable, 502, "dns_error"),
  ResolutionTimeout: reply(ReplyCode.HostUnreachable, 504, "dns_timeout"),

  ConnectionRefused: reply(ReplyCode.ConnectionRefused, 502, "connection_refused"),
  NetworkUnreachable: reply(ReplyCode.NetworkUnreachable, 502, "destination_ip_unroutable"),
  HostUnreachable: reply(ReplyCode.HostUnreachable, 502, "destination_ip_unroutable"),
  ConnectTimeout: reply(ReplyCode.TtlExpired, 504, "connection_timeout"),
  AddressFamilyUnavailable: reply(ReplyCode.AddressTypeNotSupported, 502, "destination_ip_unroutable"),
  EgressUnavailable: reply(ReplyCode.GeneralFailure, 502, "proxy_configuration_error"),
  ConnectFailed: reply(ReplyCode.GeneralFailure, 502, "destination_unavailable"),

  // An upstream's own failure is no error of the target.
  UpstreamUnreachable: reply(ReplyCode.GeneralFailure, 502, "destination_unavailable"),
  UpstreamTimeout: reply(ReplyCode.GeneralFailure, 502, "destination_unavailable"),
  UpstreamLoginFailed: reply(ReplyCode.GeneralFailure, 502, "proxy_configuration_error"),
  UpstreamFailed: reply(ReplyCode.GeneralFailure, 502, "proxy_internal_error"),
  RouteUnable: reply(ReplyCode.CommandNotSupported, 501, "http_request_denied"),
  LoopDetected: reply(ReplyCode.GeneralFailure, 508, "proxy_loop_detected"),

  BadResponse: silence(502, "http_protocol_error"),
  ResponseTimeout: silence(504, "http_response_timeout"),

  TooManySessions: reply(ReplyCode.GeneralFailure, 503, "connection_limit_reached"),
  OutOfResources: reply(ReplyCode.GeneralFailure, 503, "proxy_internal_error"),
  ServerFault: reply(ReplyCode.GeneralFailure, 500, "proxy_internal_error")
} as const satisfies Record<SessionError["_tag"], Answer>

/**
 * The error to reply with where clients must not explore a network by the replies: `ConnectFailed` in place of an error
 * that tells of the target or the network before it. Other errors stay.
 */
export const masked = (error: SessionError): SessionError => {
  const { code }: Answer["socks"] = answers[error._tag].socks
  return telling.has(code) ? new ConnectFailed({ code: "blurred" }) : error
}

const telling: ReadonlySet<number> = new Set([
  ReplyCode.NetworkUnreachable,
  ReplyCode.HostUnreachable,
  ReplyCode.ConnectionRefused,
  ReplyCode.TtlExpired
])

/** The SOCKS5 reply to `error`; empty where no reply is sent. */
export const socks5 = (error: SessionError): Uint8Array => {
  const { message, code }: Answer["socks"] = answers[error._tag].socks
  switch (message) {
    case "reply":
      return Socks5.reply(code, Socks5.unbound)
    case "method":
      return Socks5.methodSelection(code)
    case "status":
      return Socks5.credentialsStatus(code)
    case "none":
      return nothing
  }
}

/** The SOCKS4 reply to `error`, always "rejected"; empty where no reply is sent. */
export const socks4 = (error: SessionError): Uint8Array =>
  answers[error._tag].socks.message === "none"
    ? nothing
    : Socks4.reply(Socks4.ReplyCode.Rejected, Socks5.unbound)

/**
 * The HTTP response to `error`, with the error type of RFC 9209 in Proxy-Status. `remote` is the address of the target,
 * if there was a connection to it.
 */
export const http = (error: SessionError, remote?: NetAddress.InetAddress): Http.Answer => {
  const { status, error: kind } = answers[error._tag].http
  if (error._tag === "LastHop") return { status, fields: [allowed], body: "" }
  if (error._tag === "AutoConfigRequested") {
    return {
      status,
      fields: [
        ["Content-Type", "application/x-ns-proxy-autoconfig"],
        ["X-Content-Type-Options", "nosniff"],
        ["Cache-Control", "no-cache"]
      ],
      body: error.script
    }
  }
  const isPage = error._tag === "NotForProxy"
  return {
    status,
    fields: [
      ["Content-Type", isPage ? "text/html; charset=utf-8" : "text/plain; charset=utf-8"],
      ["X-Content-Type-Options", "nosniff"],
      ["Cache-Control", "no-store"],
      ["Proxy-Status", proxyStatus(error, kind, remote)],
      ...(status === 405 ? [allowed] : []),
      ...(status === 407
        ? ([["Proxy-Authenticate", 'Basic realm="effect-socks", charset="UTF-8"']] as const)
        : []),
      ...("retryAfter" in error ? ([["Retry-After", String(error.retryAfter)]] as const) : [])
    ],
    body: isPage ? page : `effect-socks: ${sentence(error)}\n`
  }
}

/** Methods whose requests are served; others are forwarded, too, but need not be named. */
const allowed = ["Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, CONNECT"] as const

/** RFC 9209 §2: the error type, the target's address, the status of a malformed response, and the reason. */
const proxyStatus = (
  error: SessionError,
  kind: string,
  remote: NetAddress.InetAddress | undefined
): string => {
  const parameters = [`effect-socks; error=${kind}`]
  if (remote) parameters.push(`next-hop=${quoted(NetAddress.formatInet(remote))}`)
  if (error._tag === "BadResponse") {
    if (error.status !== undefined) parameters.push(`received-status=${error.status}`)
    parameters.push(`details=${quoted(error.reason)}`)
  } else if (error._tag === "NotAllowed") {
    const rule = error.rule === undefined ? "" : ` (${error.rule})`
    parameters.push(`details=${quoted(error.reason + rule)}`)
  }
  return parameters.join("; ")
}

/** A string of RFC 9651 §3.3.3, which is ASCII. */
const quoted = (text: string): string => `"${text.replace(/[^\x20-\x7e]/g, "?").replace(/["\\]/g, "\\$&")}"`

/** The tag in words, `ConnectionRefused` as "connection refused"; with the reason where the client may know it. */
const sentence = (error: SessionError): string => {
  const words = wordsOf(error._tag)
  const isTold =
    error._tag === "BadResponse" ||
    error._tag === "MalformedRequest" ||
    error._tag === "MalformedCredentials" ||
    error._tag === "InvalidTarget" ||
    error._tag === "NotAllowed"
  if (error._tag === "MethodNotAllowed") return `${words}: ${printable(error.method)} is not forwarded`
  if (error._tag === "QuotaExceeded") return `${words}: for this ${error.period}`
  return isTold ? `${words}: ${printable(error.reason)}` : words
}

/** For people who opened the proxy's address in a browser. */
const page = `<!doctype html>
<title>effect-socks</title>
<p>This is a proxy server, not a site. Enter its address as the SOCKS or HTTP proxy of a program, and visit sites through it.
`

const nothing = new Uint8Array(0)
