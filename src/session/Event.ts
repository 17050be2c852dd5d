/**
 * The events of a server. Events are plain data, so that workers can send them to the primary. Addresses, targets and
 * networks are texts as in the log. Times are milliseconds since the epoch, durations milliseconds, and sizes bytes.
 */
import type { SessionError } from "../Errors.ts"
import type { Ending } from "../network/Relay.ts"
import type { Access } from "../policy/Access.ts"
import type { Decision } from "../policy/Decision.ts"

export type Event =
  | SessionBegun
  | SessionDecided
  | TargetDenied
  | SessionConnected
  | SessionEnded
  | ClientTurnedAway
  | LoginSucceeded
  | LoginFailed
  | NetworkBanned
  | BanLifted
  | UpstreamFailed
  | UpstreamChanged
  | Reloaded
  | ReloadFailed
  | EventsMissed

export type Tag = Event["_tag"]

/** The event with this tag. */
export type Of<T extends Tag> = Extract<Event, { readonly _tag: T }>

/** The client of a session. */
interface Client {
  /** The session's number, unique among all workers. */
  readonly id: number
  readonly client: string
  /** The proxy in front of this server, if a PROXY header named the client. */
  readonly via: string | undefined
  readonly listener: string
  readonly protocol: Access["protocol"] | undefined
}

/** A request was admitted: the client is authenticated, and the limits of client and user are charged. */
export interface SessionBegun extends Client {
  readonly _tag: "SessionBegun"
  readonly startedAt: number
  readonly user: string | undefined
  readonly command: Access["command"]
  readonly target: string
}

/** A decision of the policy about a target. */
interface Decided {
  readonly id: number | undefined
  readonly verdict: Decision["verdict"] | "would deny"
  /** The rule that decided. */
  readonly rule: string
  readonly reason: string | undefined
  readonly user: string | undefined
  readonly client: string | undefined
  readonly listener: string
  readonly protocol: Access["protocol"]
  readonly command: Access["command"]
  readonly target: string | undefined
  /** The allowed addresses of the target; all its addresses, if it is denied. */
  readonly addresses: ReadonlyArray<string>
  /** The time of the decision, with the time of the name servers. */
  readonly duration: number
}

/** The policy decided about a target. An association has a decision for each target of its datagrams. */
export interface SessionDecided extends Decided {
  readonly _tag: "SessionDecided"
}

/** The policy denied a target, or would have. The same as `SessionDecided`, for listeners to denials only. */
export interface TargetDenied extends Decided {
  readonly _tag: "TargetDenied"
}

/** A session has a connection to its target. Associations have none. */
export interface SessionConnected {
  readonly _tag: "SessionConnected"
  readonly id: number
  readonly user: string | undefined
  readonly target: string
  /** The target's address that the session uses. */
  readonly address: string
  /** The rule that allows this address. */
  readonly rule: string
  /** The route of the connection, the member of its pool, and the address from which it leaves, as far as known. */
  readonly route?: string | undefined
  readonly member?: string | undefined
  readonly egress?: string | undefined
}

/**
 * A session ended. Every connection has at least one session, even without a request. A connection with several
 * requests has one session for each. If the outcome is an error, the event also has the error's fields: `reason`,
 * `code`, `limit` and others.
 */
export interface SessionEnded extends Client {
  readonly _tag: "SessionEnded"
  /** The authenticated user, or the unverified name that the client gave. */
  readonly user: string | undefined
  /** The parameters in the user name. */
  readonly parameters?: Readonly<Record<string, string>>
  /** Whether `user` was authenticated. */
  readonly isAuthenticated: boolean
  /** Whether a request was admitted, with an event `SessionBegun`. */
  readonly isAdmitted: boolean
  /** The command; its number if it is not supported; undefined without a request. */
  readonly command: Access["command"] | number | undefined
  readonly target: string | undefined
  readonly address: string | undefined
  /**
   * The route of the connection, the member of its pool, and the address from which it leaves, as far as known. Of a session
   * without a connection, the route and the member that were tried last.
   */
  readonly route?: string | undefined
  readonly member?: string | undefined
  readonly egress?: string | undefined
  /** The rule that allowed `address`. */
  readonly rule: string | undefined
  /** How the session ended, or the tag of the error. */
  readonly outcome: Ending | SessionError["_tag"] | "closed by server"
  /** The code of the SOCKS reply. */
  readonly reply?: number | undefined
  /** The HTTP status. */
  readonly status?: number
  readonly hint?: string
  /** Bytes to the target. */
  readonly sent: number
  /** Bytes from the target. */
  readonly received: number
  /** Datagrams of an association that were relayed. */
  readonly datagrams: number | undefined
  /** Datagrams of an association that were dropped. */
  readonly dropped: number | undefined
  readonly duration: number
}

/** A client was turned away, because a limit of descriptors, handshakes or sessions was reached. */
export interface ClientTurnedAway {
  readonly _tag: "ClientTurnedAway"
  readonly lack: "descriptors" | "handshakes" | "sessions"
}

/** A login, by password or by certificate. */
interface Login {
  readonly id: number | undefined
  readonly client: string
  /** The user who logged in, or the name that the client gave, printable. */
  readonly user: string | undefined
  readonly method: "password" | "certificate"
}

export interface LoginSucceeded extends Login {
  readonly _tag: "LoginSucceeded"
}

export interface LoginFailed extends Login {
  readonly _tag: "LoginFailed"
  readonly reason: string | undefined
}

/** A network was banned, or its ban changed. */
export interface NetworkBanned {
  readonly _tag: "NetworkBanned"
  readonly network: string
  readonly until: number
  readonly reason: string
  /** The number of failed logins that led to the ban; 0 for a ban by the operator. */
  readonly failures: number
}

/** All bans of addresses in the network were lifted. */
export interface BanLifted {
  readonly _tag: "BanLifted"
  readonly network: string
}

/** An upstream of a route failed, for a session or a health check. */
export interface UpstreamFailed {
  readonly _tag: "UpstreamFailed"
  readonly route: string
  readonly member: string
  /** The tag of the error. */
  readonly outcome: string
  readonly reason: string
}

/** An upstream is left alone from now on, because it fails, or works again. Each worker finds out by itself. */
export interface UpstreamChanged {
  readonly _tag: "UpstreamChanged"
  readonly route: string
  readonly member: string
  readonly isUp: boolean
  /** Of a failure. */
  readonly outcome?: string
  readonly reason?: string
}

/** A reload put new settings in force. */
export interface Reloaded {
  readonly _tag: "Reloaded"
  /** The addresses on which the server listens now. */
  readonly addresses: ReadonlyArray<string>
  readonly asksPassword: boolean
}

/** A reload failed. The earlier settings stay in force. */
export interface ReloadFailed {
  readonly _tag: "ReloadFailed"
  readonly reason: string
}

/** This number of events was dropped, because a stream's reader, or the primary, did not take them in time. */
export interface EventsMissed {
  readonly _tag: "EventsMissed"
  readonly count: number
}
