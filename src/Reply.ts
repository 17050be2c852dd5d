/**
 * What a client is told: one row per error, a column per dialect, and no other
 * place that decides it.
 *
 * The table is total over `SessionError`: an error without a row does not
 * compile, and nor does a row without an error.
 */
import type { SessionError } from "./Errors.ts"
import * as Socks4 from "./wire/Socks4.ts"
import * as Socks5 from "./wire/Socks5.ts"

const { ReplyCode } = Socks5

/** What an error means in each dialect. */
export interface Answer {
  /** Which message of RFC 1928 and RFC 1929 it is, and its code; SOCKS4 has one code for all of them. */
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

/** From error tag to answer. */
export const answers = {
  // Nobody is listening, or there is no telling in which protocol to answer.
  ClientGone: silence(400, "http_request_error"),
  HandshakeTimeout: silence(408, "http_request_error"),
  UnknownProtocol: silence(400, "http_protocol_error"),
  TooManyHandshakes: silence(503, "connection_limit_reached"),

  // RFC 1928 §3 and RFC 1929 §2 have an answer of their own before the request.
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

  MalformedRequest: reply(ReplyCode.GeneralFailure, 400, "http_request_error"),
  CommandNotSupported: reply(ReplyCode.CommandNotSupported, 501, "http_request_denied"),
  AddressTypeNotSupported: reply(ReplyCode.AddressTypeNotSupported, 400, "http_request_error"),
  InvalidTarget: reply(ReplyCode.GeneralFailure, 400, "http_request_error"),

  NotAllowed: reply(ReplyCode.NotAllowed, 403, "http_request_denied"),

  // No SOCKS code means "no such name"; careful servers agree on host unreachable.
  NameNotFound: reply(ReplyCode.HostUnreachable, 502, "dns_error"),
  ResolutionFailed: reply(ReplyCode.HostUnreachable, 502, "dns_error"),
  ResolutionTimeout: reply(ReplyCode.HostUnreachable, 504, "dns_timeout"),

  ConnectionRefused: reply(ReplyCode.ConnectionRefused, 502, "connection_refused"),
  NetworkUnreachable: reply(ReplyCode.NetworkUnreachable, 502, "destination_ip_unroutable"),
  HostUnreachable: reply(ReplyCode.HostUnreachable, 502, "destination_ip_unroutable"),
  ConnectTimeout: reply(ReplyCode.TtlExpired, 504, "connection_timeout"),
  AddressFamilyUnavailable: reply(ReplyCode.AddressTypeNotSupported, 502, "destination_ip_unroutable"),
  ConnectFailed: reply(ReplyCode.GeneralFailure, 502, "destination_unavailable"),

  TooManySessions: reply(ReplyCode.GeneralFailure, 503, "connection_limit_reached"),
  OutOfResources: reply(ReplyCode.GeneralFailure, 503, "proxy_internal_error"),
  ServerFault: reply(ReplyCode.GeneralFailure, 500, "proxy_internal_error")
} as const satisfies Record<SessionError["_tag"], Answer>

/** The bytes that tell a SOCKS5 client of `error`; none where silence is the answer. */
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

/** The same for SOCKS4, which knows granted and rejected. */
export const socks4 = (error: SessionError): Uint8Array =>
  answers[error._tag].socks.message === "none"
    ? nothing
    : Socks4.reply(Socks4.ReplyCode.Rejected, Socks5.unbound)

const nothing = new Uint8Array(0)
