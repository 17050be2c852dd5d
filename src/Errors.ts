/**
 * Every way a session can fail, grouped by whose fault it is, and why a server does not start. The reply that each
 * one earns is in `Reply.ts`; a new class here does not compile until it has a line there.
 *
 * **When to use**
 *
 * Use these in services of your own: what a client is told follows from the error. Each is tagged, and has a
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
 * Failures are ordinary here: a busy proxy makes thousands a minute and nobody
 * reads where in this program they were built. So they carry no stack trace,
 * which is most of an error's cost.
 */
const TaggedError = <Tag extends string>(tag: Tag): ReturnType<typeof Data.TaggedError<Tag>> => {
  const Base = Data.TaggedError(tag) as unknown as new (args: unknown) => Error
  class Traceless extends Base {
    /** `session limit reached: whose user, limit 5`. Those for operators and authors of apps have sentences of their own. */
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

/** What of every error is no detail. */
const hidden: ReadonlySet<string> = new Set(["_tag", "name", "message", "stack"])

// The client's doing ---------------------------------------------------------

/** The client closed or reset its connection before there was a session. */
export class ClientGone extends TaggedError("ClientGone") {}

/** Greeting, authentication and request did not arrive within the handshake timeout. */
export class HandshakeTimeout extends TaggedError("HandshakeTimeout") {}

/** The first byte is of no protocol spoken here. */
export class UnknownProtocol extends TaggedError("UnknownProtocol")<{
  readonly firstByte: number
  /** What the operator or the client may have meant. */
  readonly hint?: string
}> {}

/** A proxy in front of this server sent no PROXY header, or one that cannot be read. */
export class MalformedProxyHeader extends TaggedError("MalformedProxyHeader")<{
  readonly reason: string
}> {}

/** The TLS handshake failed: no common version or cipher, or no certificate that is trusted. `code` is TLS's. */
export class TlsFailed extends TaggedError("TlsFailed")<{
  readonly code: string
}> {}

/** The client offered no authentication method that the server accepts (RFC 1928 §3). */
export class NoAcceptableMethod extends TaggedError("NoAcceptableMethod")<{
  readonly offered: ReadonlyArray<number>
}> {}

/** The authentication message is not one of RFC 1929. */
export class MalformedCredentials extends TaggedError("MalformedCredentials")<{
  readonly reason: string
}> {}

/** Unknown user or wrong password; which of the two, the log alone is told. */
export class AuthenticationFailed extends TaggedError("AuthenticationFailed")<{
  readonly user: string
  readonly reason?: Refusal
}> {}

/** Why a login failed; `refused` is all that an authentication service says. */
export type Refusal =
  | "unknown user"
  | "wrong password"
  | "expired"
  | "not from this network"
  | "refused"
  | "too soon after others"
  | "banned"

/** The client's network is banned. */
export class Banned extends TaggedError("Banned")<{
  readonly network: string
}> {}

/** The certificate is good, but it does not say which user it is for, or that user may not come in. */
export class CertificateRefused extends TaggedError("CertificateRefused")<{
  readonly user: string
  readonly reason: Refusal | "several common names" | "an unusable common name" | "an unusable subject"
}> {}

/** The request is not one of RFC 1928 §4. */
export class MalformedRequest extends TaggedError("MalformedRequest")<{
  readonly reason: string
}> {}

/** A command other than the ones this server carries out. */
export class CommandNotSupported extends TaggedError("CommandNotSupported")<{
  readonly command: number
}> {}

/** An ATYP other than IPv4, domain name and IPv6. */
export class AddressTypeNotSupported extends TaggedError("AddressTypeNotSupported")<{
  readonly addressType: number
}> {}

/** A target that no address can belong to: a host name with bytes no name has, or port 0. */
export class InvalidTarget extends TaggedError("InvalidTarget")<{
  readonly target: string
  readonly reason: string
}> {}

/** The head of an HTTP request is longer than a server need read. */
export class HeadTooLarge extends TaggedError("HeadTooLarge") {}

/** An HTTP request for this server itself, which has nothing but its proxying. */
export class NotForProxy extends TaggedError("NotForProxy") {}

/** An HTTP request that has been through this server already (RFC 9110 §7.6.3). */
export class LoopDetected extends TaggedError("LoopDetected") {}

// The policy's doing ---------------------------------------------------------

/** Denied by a rule, by a custom service, or by the system's firewall. */
export class NotAllowed extends TaggedError("NotAllowed")<{
  readonly reason: string
  /** What decided it, where it was a policy. */
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

/** What a limit is for: a user, a client address, or all sessions that a rule allows. */
export type Whose = "user" | "client" | "rule"

// The network's doing --------------------------------------------------------

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

/** The target answered with a reset: nothing listens there. */
export class ConnectionRefused extends TaggedError("ConnectionRefused") {}

/** There is no route to the target's network. */
export class NetworkUnreachable extends TaggedError("NetworkUnreachable") {}

/** The target's network is there, the target is not. */
export class HostUnreachable extends TaggedError("HostUnreachable") {}

/** The target did not answer in time. */
export class ConnectTimeout extends TaggedError("ConnectTimeout") {}

/** This machine has no address of the target's family. */
export class AddressFamilyUnavailable extends TaggedError("AddressFamilyUnavailable") {}

/** The connection failed in a way that RFC 1928 has no reply code for. `code` is the system's. */
export class ConnectFailed extends TaggedError("ConnectFailed")<{
  readonly code: string
}> {}

/** What the target answered is no HTTP response, or not all of one's head. */
export class BadResponse extends TaggedError("BadResponse")<{
  readonly reason: string
}> {}

/** The target took the request, and then nothing moved any more. */
export class ResponseTimeout extends TaggedError("ResponseTimeout") {}

// The server's doing ---------------------------------------------------------

/** So many connections are still in their handshake that no more are taken on. */
export class TooManyHandshakes extends TaggedError("TooManyHandshakes")<{
  readonly limit: number
}> {}

/** So many passwords are being verified that no more are taken on. */
export class TooManyLogins extends TaggedError("TooManyLogins")<{
  readonly limit: number
}> {}

/** The authentication service was asked, and did not say whether it knows the client. */
export class AuthenticationUnavailable extends TaggedError("AuthenticationUnavailable")<{
  readonly reason: string
}> {}

/** As many sessions as allowed are running. */
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

// The operator's doing: nothing starts ----------------------------------------

/** Where in a file. Lines and columns count from 1. */
export interface Place {
  /** As the operator named it, printable. */
  readonly file: string
  readonly line: number
  readonly column: number
}

const placed = ({ file, line, column }: Place): string => `${file}:${line}:${column}: `

/** A setting that cannot be used. `value` is never a secret. */
export class BadSetting extends TaggedError("BadSetting")<{
  /** As the operator wrote it: a flag, an environment variable, or the way to it in a file. */
  readonly setting: string
  readonly value: string
  readonly expected: string
  /** The way from the setting to what is wrong in it, where that is a part: indices and keys of the config file. */
  readonly path?: ReadonlyArray<PropertyKey>
  readonly place?: Place
}> {
  override get message() {
    return `${this.place ? placed(this.place) : ""}${this.setting}: ${this.value} is not ${this.expected}`
  }
}

/** A file that settings are read from, and that cannot be: all of it, or what is at a place in it. */
export class BadFile extends TaggedError("BadFile")<{
  /** The name of the file, printable, or where in it; left out for the options of a program, which are in no file. */
  readonly at?: string | Place
  readonly reason: string
}> {
  override get message() {
    const { at, reason } = this
    if (at === undefined) return reason
    return `${typeof at === "string" ? `${at}: ` : placed(at)}${reason}`
  }
}

/** All that is wrong with what the operator gave, in the order it is written. */
export class BadSettings extends TaggedError("BadSettings")<{
  readonly errors: readonly [BadSetting | BadFile, ...ReadonlyArray<BadSetting | BadFile>]
}> {
  override get message() {
    return this.errors.map(({ message }) => message).join("\n")
  }
}

/** A listener that others can reach, and nothing that keeps them out. */
export class OpenProxyRefused extends TaggedError("OpenProxyRefused")<{
  readonly address: string
}> {
  override get message() {
    return (
      `refusing to listen on ${this.address}: others can reach it and no password is set. ` +
      "Add a user with --user NAME:PASSWORD (or SOCKS_USER), or pass --open to let everyone in."
    )
  }
}

/** What is kept over restarts cannot be read, or not be written. */
export class StateFailed extends TaggedError("StateFailed")<{
  readonly path: string
  readonly reason: string
}> {
  override get message() {
    return `cannot keep the state in ${this.path}: ${this.reason}`
  }
}

/** The server cannot listen there. `code` is the system's. */
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
  EADDRINUSE: "another program has taken it",
  EADDRNOTAVAIL: "it is no address of this machine",
  EACCES: "this process does not have the privilege it takes, as ports below 1024 do",
  ENOENT: "its directory does not exist",
  ENOTFOUND: "the name has no address",
  ENOTSOCK: "something else than a socket is there",
  ENODATA: "systemd passed no such socket"
}

// Unions, by where they can occur --------------------------------------------

/** Before there is a protocol to answer in. */
export type ArrivalError = Banned | MalformedProxyHeader | TlsFailed | CertificateRefused

/** Before the client has proved who it is. */
export type AuthenticationError =
  | UnknownProtocol
  | NoAcceptableMethod
  | MalformedCredentials
  | VerificationError

/** In finding out whose credentials they are. */
export type VerificationError = AuthenticationFailed | TooManyLogins | AuthenticationUnavailable

/** In the client's request itself. */
export type RequestError =
  | MalformedRequest
  | CommandNotSupported
  | AddressTypeNotSupported
  | InvalidTarget
  | HeadTooLarge
  | NotForProxy
  | LoopDetected

/** In finding the target's addresses. */
export type ResolveError = NameNotFound | ResolutionFailed | ResolutionTimeout

/** In connecting to the target. */
export type DialError =
  | NotAllowed
  | ConnectionRefused
  | NetworkUnreachable
  | HostUnreachable
  | ConnectTimeout
  | AddressFamilyUnavailable
  | ConnectFailed
  | OutOfResources

/** In asking the target in the client's place. */
export type ForwardError = BadResponse | ResponseTimeout

/** Why a client was not heard out. */
export type NotHeard = ClientGone | HandshakeTimeout

/** In what a user, an address or a rule may have. */
export type LimitError = SessionLimitReached | TooManyNewSessions | QuotaExceeded

/** Everything that can keep a connection from becoming a session. */
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
