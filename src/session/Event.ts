/**
 * What happens in a server. An event is plain data: addresses, targets and networks are as the log writes them, times
 * are milliseconds since the epoch, durations milliseconds, and sizes bytes. So a worker's events can be sent to the
 * primary as they are.
 */
import type { SessionError } from "../Errors.ts"
import type { Ending } from "../network/Relay.ts"
import type { Access } from "../policy/Access.ts"
import type { Decision } from "../policy/Decision.ts"

export type Event =
  | SessionBegun
  | SessionDecided
  | SessionConnected
  | SessionEnded
  | ClientTurnedAway
  | LoginSucceeded
  | LoginFailed
  | NetworkBanned
  | BanLifted
  | Reloaded
  | ReloadFailed
  | EventsMissed

export type Tag = Event["_tag"]

/** The event with this tag. */
export type Of<T extends Tag> = Extract<Event, { readonly _tag: T }>

/** The client of a session. */
interface Client {
  /** The session's number, which no other session of any worker has. */
  readonly id: number
  readonly client: string
  /** The proxy in front of this server that told the client's address. */
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

/** A target was judged; for each target of an association's datagrams, too. */
export interface SessionDecided {
  readonly _tag: "SessionDecided"
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
  /** The addresses of the target that are allowed; of a denied one, all of them. */
  readonly addresses: ReadonlyArray<string>
  /** The time of the decision, with the name servers' part. */
  readonly duration: number
}

/** A session has a connection to its target. Associations have none. */
export interface SessionConnected {
  readonly _tag: "SessionConnected"
  readonly id: number
  readonly user: string | undefined
  readonly target: string
  /** The address of the target that is used. */
  readonly address: string
  /** The rule that allows this address. */
  readonly rule: string
}

/**
 * A session ended: every connection is one, with or without a request, and one that is used again is one for each
 * request. What the error of `outcome` carries is among the fields, too: `reason`, `code`, `limit`, ….
 */
export interface SessionEnded extends Client {
  readonly _tag: "SessionEnded"
  /** The authenticated user, or else the name that the client gave. */
  readonly user: string | undefined
  /** Whether `user` was authenticated. */
  readonly isAuthenticated: boolean
  /** Whether a request was admitted, as `SessionBegun` told. */
  readonly isAdmitted: boolean
  /** The number of a command that is not supported; undefined if the client came to no request. */
  readonly command: Access["command"] | number | undefined
  readonly target: string | undefined
  readonly address: string | undefined
  /** The rule that allowed `address`. */
  readonly rule: string | undefined
  /** How it ended, or the tag of the error. */
  readonly outcome: Ending | SessionError["_tag"] | "closed by server"
  /** The SOCKS reply. */
  readonly reply?: number | undefined
  /** The HTTP status. */
  readonly status?: number
  readonly hint?: string
  /** To the target. */
  readonly sent: number
  /** From the target. */
  readonly received: number
  /** Datagrams of an association that were dropped. */
  readonly dropped: number | undefined
  readonly duration: number
}

/** A client was turned away for lack of descriptors, handshakes or sessions. */
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

/** A network is banned, or its ban is another one now. */
export interface NetworkBanned {
  readonly _tag: "NetworkBanned"
  readonly network: string
  readonly until: number
  readonly reason: string
  /** Failed logins that led to the ban; 0 for a ban by hand. */
  readonly failures: number
}

/** Every ban of an address in this network was lifted. */
export interface BanLifted {
  readonly _tag: "BanLifted"
  readonly network: string
}

/** Other settings are in force. */
export interface Reloaded {
  readonly _tag: "Reloaded"
  /** Where the server listens now. */
  readonly addresses: ReadonlyArray<string>
  readonly asksPassword: boolean
}

/** A reload failed, and changed nothing. */
export interface ReloadFailed {
  readonly _tag: "ReloadFailed"
  readonly reason: string
}

/** So many events were dropped here: a listener, or the primary of a worker, did not take them in time. */
export interface EventsMissed {
  readonly _tag: "EventsMissed"
  readonly count: number
}
