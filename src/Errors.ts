/**
 * The errors of a session, and of the start of a server, grouped by cause: the client, the policy, the network, the
 * server, or the operator. `Reply.ts` has the reply to each error of a session; a new error of a session does not
 * compile until it has a line there.
 *
 * **When to use**
 *
 * Use these errors in your own services: the error decides about the reply to the client. Each error has a tag and a
 * message.
 *
 * **Example** (A dialer that fails)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Dialer, Errors } from "effect-socks"
 *
 * const NoNetwork = Layer.succeed(Dialer, { connect: () => Effect.fail(new Errors.NetworkUnreachable()) })
 * ```
 */
import * as Data from "effect/Data"

/**
 * Errors without a stack trace. A busy proxy makes thousands of errors a minute, the stack trace is most of the cost
 * of an error, and it says nothing about the session.
 */
const TaggedError = <Tag extends string>(tag: Tag): ReturnType<typeof Data.TaggedError<Tag>> => {
  const Base = Data.TaggedError(tag) as unknown as new (args: unknown) => Error
  class Traceless extends Base {
    /**
     * The tag in words, with the error's details: `session limit reached: whose user, limit 5`. Errors for operators
     * and for authors of apps override it.
     */
    override get message(): string {
      const { reason, ...details } = this as unknown as Readonly<Record<string, unknown>>
      const known = Object.entries(details).filter(
        ([name, value]) => !hidden.has(name) && /^(?:string|number)$/.test(typeof value)
      )
      const more = [
        ...(typeof reason === "string" ? [reason] : []),
        ...known.map(([name, value]) => `${name} ${value}`)
      ]
      return more.length === 0 ? wordsOf(tag) : `${wordsOf(tag)}: ${more.join(", ")}`
    }

    constructor(args: unknown) {
      const limit = Error.stackTraceLimit
      Error.stackTraceLimit = 0
      try {
        super(args)
      } finally {
        Error.stackTraceLimit = limit
      }
    }
  }
  return Traceless as never
}

/** `ConnectionRefused` as "connection refused". */
export const wordsOf = (tag: string): string =>
  tag.replace(/(?!^)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase()

/** The properties that are not details of an error. */
const hidden: ReadonlySet<string> = new Set(["_tag", "name", "message", "stack"])

// Caused by the client -------------------------------------------------------

/** The client closed or reset its connection before its request was granted. */
export class ClientGone extends TaggedError("ClientGone") {}

/** PROXY header, TLS, greeting, authentication and request took longer than the handshake timeout. */
export class HandshakeTimeout extends TaggedError("HandshakeTimeout") {}

/** The first byte of the connection begins no protocol that the listener speaks. */
export class UnknownProtocol extends TaggedError("UnknownProtocol")<{
  readonly firstByte: number
  /** Advice for the operator: the likely mistake. */
  readonly hint?: string
}> {}

/** A proxy in front of this server sent no PROXY header, or a malformed header. */
export class MalformedProxyHeader extends TaggedError("MalformedProxyHeader")<{
  readonly reason: string
}> {}

/** The TLS handshake failed: no common version or cipher, or no trusted client certificate. `code` is OpenSSL's. */
export class TlsFailed extends TaggedError("TlsFailed")<{
  readonly code: string
}> {}

/** The client offered no authentication method that the server accepts (RFC 1928 §3). */
export class NoAcceptableMethod extends TaggedError("NoAcceptableMethod")<{
  readonly offered: ReadonlyArray<number>
}> {}

/** The credentials are malformed: the message of RFC 1929, or the Proxy-Authorization field of HTTP. */
export class MalformedCredentials extends TaggedError("MalformedCredentials")<{
  readonly reason: string
}> {}

/** The login failed. The log has the `reason`; the client is not told. */
export class AuthenticationFailed extends TaggedError("AuthenticationFailed")<{
  readonly user: string
  readonly reason?: Refusal
}> {}

/** Why a login failed. `refused` is the answer of an authentication service, which gives no reason. */
export type Refusal =
  | "unknown user"
  | "wrong password"
  | "expired"
  | "disabled"
  | "not from this network"
  | "refused"
  | "too soon after others"
  | "undeclared parameter"
  | "invalid parameter"
  | "banned"

/** The client's network is banned. */
export class Banned extends TaggedError("Banned")<{
  readonly network: string
}> {}

/** The certificate is valid, but its subject names no user, or the user may not log in. */
export class CertificateRefused extends TaggedError("CertificateRefused")<{
  readonly user: string
  readonly reason: Refusal | "several common names" | "an unusable common name" | "an unusable subject"
}> {}

/** The request is malformed: SOCKS5 (RFC 1928 §4), SOCKS4, or HTTP (RFC 9112). */
export class MalformedRequest extends TaggedError("MalformedRequest")<{
  readonly reason: string
}> {}

/** The command is unknown, or the settings do not allow it. `command` is its code in SOCKS. */
export class CommandNotSupported extends TaggedError("CommandNotSupported")<{
  readonly command: number
}> {}

/** The ATYP of a SOCKS5 request is not IPv4, domain name or IPv6. */
export class AddressTypeNotSupported extends TaggedError("AddressTypeNotSupported")<{
  readonly addressType: number
}> {}

/** The target is invalid: a malformed host name, the unspecified address, or port 0. */
export class InvalidTarget extends TaggedError("InvalidTarget")<{
  readonly target: string
  readonly reason: string
}> {}

/** The head of an HTTP request has too many bytes or too many fields. */
export class HeadTooLarge extends TaggedError("HeadTooLarge") {}

/** The HTTP request is for this server itself, as if the proxy were a site. */
export class NotForProxy extends TaggedError("NotForProxy") {}

/** The request is for the proxy auto-config file. This server answers with the file. */
export class AutoConfigRequested extends TaggedError("AutoConfigRequested")<{
  readonly script: string
}> {}

/** TRACE, which a proxy that knows credentials must not forward. */
export class MethodNotAllowed extends TaggedError("MethodNotAllowed")<{
  readonly method: string
}> {}

/** OPTIONS that goes no further than to this server (Max-Forwards: 0). This server answers. */
export class LastHop extends TaggedError("LastHop") {}

// Caused by the policy -------------------------------------------------------

/** A rule, a custom service, or the system's firewall denied the target. */
export class NotAllowed extends TaggedError("NotAllowed")<{
  readonly reason: string
  /** The rule that decided; left out where no policy decided. */
  readonly rule?: string
}> {}

/** The limit of concurrent sessions of a user, client or rule is reached. */
export class SessionLimitReached extends TaggedError("SessionLimitReached")<{
  readonly whose: Whose
  readonly limit: number
}> {}

/** The limit of new sessions a second of a user, client or rule is reached. */
export class TooManyNewSessions extends TaggedError("TooManyNewSessions")<{
  readonly whose: Whose
  readonly limit: number
  /** Seconds. */
  readonly retryAfter: number
}> {}

/** The quota of a day or a month is used up. */
export class QuotaExceeded extends TaggedError("QuotaExceeded")<{
  readonly whose: Whose
  readonly period: "day" | "month"
  /** Bytes. */
  readonly limit: number
  /** Seconds to the next day or month. */
  readonly retryAfter: number
}> {}

/** The owner of a limit: a user, a client address, or all sessions that a rule allows. */
export type Whose = "user" | "client" | "rule"

// Caused by the network ------------------------------------------------------

/** The name has no address. */
export class NameNotFound extends TaggedError("NameNotFound")<{
  readonly name: string
}> {}

/** The name servers gave no usable answer. `code` is the resolver's. */
export class ResolutionFailed extends TaggedError("ResolutionFailed")<{
  readonly name: string
  readonly code: string
}> {}

/** The name servers gave no answer in time. */
export class ResolutionTimeout extends TaggedError("ResolutionTimeout")<{
  readonly name: string
}> {}

/** The target answered with a reset: no program listens on the port. */
export class ConnectionRefused extends TaggedError("ConnectionRefused") {}

/** There is no route to the target's network. */
export class NetworkUnreachable extends TaggedError("NetworkUnreachable") {}

/** The target's network is reachable, the target is not. */
export class HostUnreachable extends TaggedError("HostUnreachable") {}

/** The target did not answer in time. */
export class ConnectTimeout extends TaggedError("ConnectTimeout") {}

/** This machine has no address of the target's family. */
export class AddressFamilyUnavailable extends TaggedError("AddressFamilyUnavailable") {}

/** The address from which the session has to leave is none of this machine. */
export class EgressUnavailable extends TaggedError("EgressUnavailable")<{
  readonly address: string
}> {}

/** The connection failed in a way that RFC 1928 has no reply code for. `code` is the system's. */
export class ConnectFailed extends TaggedError("ConnectFailed")<{
  readonly code: string
}> {}

/** The target's answer is no HTTP response, or its head is malformed. */
export class BadResponse extends TaggedError("BadResponse")<{
  readonly reason: string
  /** The status of the response, if its head could be read. */
  readonly status?: number
}> {}

/** No byte of the request or the response moved for the idle timeout, before the head of a response came. */
export class ResponseTimeout extends TaggedError("ResponseTimeout") {}

// Caused by a route ----------------------------------------------------------

/** An error of an upstream itself. `upstream` is its URL, without a password. */
interface OfUpstream {
  readonly upstream: string
  /**
   * `request` if the upstream had been asked for the target, so that the target can have caused the error; `queue` if it
   * was not asked, because so many sessions of the client wait for the same answer.
   */
  readonly after?: "request" | "queue"
}

/** There is no connection to the upstream. */
export class UpstreamUnreachable extends TaggedError("UpstreamUnreachable")<
  OfUpstream & { readonly reason: string }
> {}

/** The upstream did not answer in time. */
export class UpstreamTimeout extends TaggedError("UpstreamTimeout")<OfUpstream> {}

/** The upstream refuses the credentials of its URL, or wants some. */
export class UpstreamLoginFailed extends TaggedError("UpstreamLoginFailed")<
  OfUpstream & { readonly reason: string }
> {}

/** The upstream broke its protocol, or closed its connection. */
export class UpstreamFailed extends TaggedError("UpstreamFailed")<OfUpstream & { readonly reason: string }> {}

/** The route, or its upstream, cannot carry the command: no kind of upstream but SOCKS5 relays datagrams. */
export class RouteUnable extends TaggedError("RouteUnable")<{
  readonly reason: string
}> {}

/** The request has passed this server already (RFC 9110 §7.6.3), and would be sent on again. */
export class LoopDetected extends TaggedError("LoopDetected") {}

// Caused by the server -------------------------------------------------------

/** The limit of concurrent handshakes is reached. */
export class TooManyHandshakes extends TaggedError("TooManyHandshakes")<{
  readonly limit: number
}> {}

/** The queue of password checks is full. */
export class TooManyLogins extends TaggedError("TooManyLogins")<{
  readonly limit: number
}> {}

/** The authentication service gave no usable answer. */
export class AuthenticationUnavailable extends TaggedError("AuthenticationUnavailable")<{
  readonly reason: string
}> {}

/** The limit of concurrent sessions of the server is reached. */
export class TooManySessions extends TaggedError("TooManySessions")<{
  readonly limit: number
}> {}

/** The system has no descriptor, port or memory to spare. `code` is the system's. */
export class OutOfResources extends TaggedError("OutOfResources")<{
  readonly code: string
}> {}

/** A bug, here or in a provided service: an effect died. */
export class ServerFault extends TaggedError("ServerFault")<{
  readonly defect: unknown
}> {}

// Caused by the operator: the server does not start ---------------------------

/** A position in a file. Lines and columns count from 1. */
export interface Place {
  /** The path that the operator gave, printable. */
  readonly file: string
  readonly line: number
  readonly column: number
}

const placed = ({ file, line, column }: Place): string => `${file}:${line}:${column}: `

/** The value of a setting cannot be used. `value` is never a secret. */
export class BadSetting extends TaggedError("BadSetting")<{
  /** The setting as the operator wrote it: a flag, an environment variable, or its path in a file. */
  readonly setting: string
  readonly value: string
  readonly expected: string
  /** The path from the setting to the part that is wrong: indices and keys of the config file. */
  readonly path?: ReadonlyArray<PropertyKey>
  readonly place?: Place
}> {
  override get message() {
    return `${this.place ? placed(this.place) : ""}${this.setting}: ${this.value} is not ${this.expected}`
  }
}

/** A file of settings cannot be read as a whole, or is wrong at one position. */
export class BadFile extends TaggedError("BadFile")<{
  /** The name of the file, printable, or the position in it; left out for options of a program, which have no file. */
  readonly at?: string | Place
  readonly reason: string
  /** The path of the setting that is wrong, where it is one; left out if its name may be a secret. */
  readonly setting?: string
}> {
  override get message() {
    const { at, reason } = this
    if (at === undefined) return reason
    return `${typeof at === "string" ? `${at}: ` : placed(at)}${reason}`
  }
}

/** All errors in the settings, in the order in which the operator wrote them. */
export class BadSettings extends TaggedError("BadSettings")<{
  readonly errors: readonly [BadSetting | BadFile, ...ReadonlyArray<BadSetting | BadFile>]
}> {
  override get message() {
    return this.errors.map(({ message }) => message).join("\n")
  }
}

/** Strangers can reach a listener that asks for no password. */
export class OpenProxyRefused extends TaggedError("OpenProxyRefused")<{
  readonly address: string
  /** What to do instead, for the author of an app; left out, for the operator of the program. */
  readonly advice?: string
}> {
  override get message() {
    const { address, advice = adviceOfProgram } = this
    return `refusing to listen on ${address}: others can reach it and no password is set. ${advice}`
  }
}

const adviceOfProgram =
  "Add a user with --user NAME:PASSWORD (or SOCKS_USER), or pass --open to let everyone in."

/** A state file, which outlives restarts, cannot be read or written. */
export class StateFailed extends TaggedError("StateFailed")<{
  readonly path: string
  readonly reason: string
}> {
  override get message() {
    return `cannot keep the state in ${this.path}: ${this.reason}`
  }
}

/** The store of usage cannot be read or written. */
export class UsageStoreFailed extends TaggedError("UsageStoreFailed")<{
  /** The path of the store, or its address without a password. */
  readonly store: string
  readonly reason: string
}> {
  override get message() {
    return `cannot use the usage store ${this.store}: ${this.reason}`
  }
}

/** A report asks for a part of a month of which the store has the sum only. */
export class UsageSummedUp extends TaggedError("UsageSummedUp")<{
  /** Such as `2026-08`. */
  readonly month: string
}> {
  override get message() {
    return `usage of ${this.month} is kept as one sum: a report can have all days of that month, or none`
  }
}

/** The store of the fleet does not answer, or not as it should. */
export class FleetStoreFailed extends TaggedError("FleetStoreFailed")<{
  /** The address of the store, without a password. */
  readonly store: string
  readonly reason: string
}> {
  override get message() {
    return `cannot use the fleet's store ${this.store}: ${this.reason}`
  }
}

/** The server cannot listen on the address. `code` is the system's. */
export class ListenFailed extends TaggedError("ListenFailed")<{
  readonly address: string
  readonly code: string
}> {
  override get message() {
    const reason = listenReasons[this.code] ?? this.code
    return `cannot listen on ${this.address}: ${reason}`
  }
}

const listenReasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "it is in use already, by another program or by another listener",
  EADDRNOTAVAIL: "this machine does not have the address",
  EACCES: "this process lacks the privilege, which ports below 1024 need",
  ENOENT: "its directory does not exist",
  ENOTFOUND: "the name has no address",
  ENOTSOCK: "the path is taken by a file that is no socket",
  ENODATA: "systemd passed no such socket"
}

// Unions, by the phase in which the errors occur ------------------------------

/** Before the protocol is detected, so without a reply. */
export type ArrivalError = Banned | MalformedProxyHeader | TlsFailed | CertificateRefused

/** Before the client is authenticated. */
export type AuthenticationError =
  | UnknownProtocol
  | NoAcceptableMethod
  | MalformedCredentials
  | VerificationError

/** While credentials are verified. */
export type VerificationError = AuthenticationFailed | TooManyLogins | AuthenticationUnavailable

/** In the client's request. */
export type RequestError =
  | MalformedRequest
  | CommandNotSupported
  | AddressTypeNotSupported
  | InvalidTarget
  | HeadTooLarge
  | NotForProxy
  | AutoConfigRequested
  | LoopDetected
  | MethodNotAllowed
  | LastHop

/** While the target's name is resolved. */
export type ResolveError = NameNotFound | ResolutionFailed | ResolutionTimeout

/** While a connection to the target is made. */
export type DialError =
  | NotAllowed
  | ConnectionRefused
  | NetworkUnreachable
  | HostUnreachable
  | ConnectTimeout
  | AddressFamilyUnavailable
  | EgressUnavailable
  | ConnectFailed
  | OutOfResources
  | RouteError

/** An upstream's own failure. */
export type UpstreamError = UpstreamUnreachable | UpstreamTimeout | UpstreamLoginFailed | UpstreamFailed

/** A failure of the route, which tells nothing of the target. */
export type RouteError = UpstreamError | RouteUnable | LoopDetected

/** While an HTTP request is forwarded. */
export type ForwardError = BadResponse | ResponseTimeout

/** The client did not send a whole message. */
export type NotHeard = ClientGone | HandshakeTimeout

/** A limit of a user, a client address or a rule. */
export type LimitError = SessionLimitReached | TooManyNewSessions | QuotaExceeded

/** Every error that can end a session. */
export type SessionError =
  | ClientGone
  | HandshakeTimeout
  | ArrivalError
  | AuthenticationError
  | RequestError
  | ResolveError
  | DialError
  | ForwardError
  | LimitError
  | TooManyHandshakes
  | TooManySessions
  | ServerFault
