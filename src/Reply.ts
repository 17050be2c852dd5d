/**
 * What a client is told: one row per error, and no other place that decides it.
 *
 * The table is total over `SessionError`: an error without a row does not
 * compile, and nor does a row without an error.
 */
import type * as NetAddress from "effect/net/NetAddress"
import type { SessionError } from "./Errors.ts"
import * as Socks5 from "./wire/Socks5.ts"

const { ReplyCode } = Socks5

/** The last words to a client: which message of the protocol they are, and their code. */
export type Answer =
  | { readonly message: "reply"; readonly code: Socks5.ReplyCode }
  | { readonly message: "method"; readonly code: typeof Socks5.Method.NoneAcceptable }
  | { readonly message: "status"; readonly code: 0x01 }
  | { readonly message: "none" }

const reply = (code: Socks5.ReplyCode): Answer => ({ message: "reply", code })
const none: Answer = { message: "none" }

/** From error tag to answer. */
export const answers = {
  // Nobody is listening, or there is no telling in which protocol to answer.
  ClientGone: none,
  HandshakeTimeout: none,
  UnknownProtocol: none,
  TooManyHandshakes: none,

  // RFC 1928 §3 and RFC 1929 §2 have an answer of their own before the request.
  NoAcceptableMethod: { message: "method", code: Socks5.Method.NoneAcceptable },
  MalformedCredentials: { message: "status", code: 0x01 },
  AuthenticationFailed: { message: "status", code: 0x01 },

  MalformedRequest: reply(ReplyCode.GeneralFailure),
  CommandNotSupported: reply(ReplyCode.CommandNotSupported),
  AddressTypeNotSupported: reply(ReplyCode.AddressTypeNotSupported),
  InvalidTarget: reply(ReplyCode.GeneralFailure),

  NotAllowed: reply(ReplyCode.NotAllowed),

  // No code means "no such name"; careful servers agree on host unreachable.
  NameNotFound: reply(ReplyCode.HostUnreachable),
  ResolutionFailed: reply(ReplyCode.HostUnreachable),
  ResolutionTimeout: reply(ReplyCode.HostUnreachable),

  ConnectionRefused: reply(ReplyCode.ConnectionRefused),
  NetworkUnreachable: reply(ReplyCode.NetworkUnreachable),
  HostUnreachable: reply(ReplyCode.HostUnreachable),
  ConnectTimeout: reply(ReplyCode.TtlExpired),
  AddressFamilyUnavailable: reply(ReplyCode.AddressTypeNotSupported),
  ConnectFailed: reply(ReplyCode.GeneralFailure),

  TooManySessions: reply(ReplyCode.GeneralFailure),
  OutOfResources: reply(ReplyCode.GeneralFailure),
  ServerFault: reply(ReplyCode.GeneralFailure)
} as const satisfies Record<SessionError["_tag"], Answer>

/** The bytes that tell a client of `error`; none where silence is the answer. */
export const failed = (error: SessionError): Uint8Array => encode(answers[error._tag])

/** The bytes that tell a client it is connected, from `bound`, the outgoing socket's own address. */
export const succeeded = (bound: NetAddress.InetAddress): Uint8Array =>
  Socks5.reply(ReplyCode.Succeeded, bound)

const encode = (answer: Answer): Uint8Array => {
  switch (answer.message) {
    case "reply":
      return Socks5.reply(answer.code, Socks5.unbound)
    case "method":
      return Socks5.methodSelection(answer.code)
    case "status":
      return Socks5.credentialsStatus(answer.code)
    case "none":
      return nothing
  }
}

const nothing = new Uint8Array(0)
