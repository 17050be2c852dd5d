/**
 * What the protocols spoken here have in common: a client says who it is and
 * what it wants, and is told what came of it.
 */
import type * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type { SessionError } from "../Errors.ts"
import type { Client } from "../network/Client.ts"
import type { Ending, Traffic } from "../network/Relay.ts"
import type { Authenticator, Identity } from "../policy/Authenticator.ts"
import type { Target } from "../wire/Target.ts"

export type Command = "CONNECT" | "BIND" | "ASSOCIATE"

/** What a client that was let in asks for. */
export interface Request {
  readonly command: Command
  readonly target: Target
}

/** Who connected, and to which of the server's addresses. */
export interface Peer {
  readonly remote: NetAddress.InetAddress
  readonly local: NetAddress.InetAddress
}

/** What is known of a connection, filled in as it becomes so. */
export interface Known {
  readonly peer: Peer
  dialect?: Dialect
  identity?: Identity
  request?: Request
  /** The target's address that answered. */
  address?: NetAddress.InetAddress
  outcome?: Ending | SessionError
  readonly traffic: Traffic
}

export interface Dialect {
  readonly name: "SOCKS5" | "SOCKS4"
  /** Hears a client out. Whatever it fails with was the client's last word. */
  readonly receive: (client: Client, known: Known) => Effect.Effect<Request, SessionError, Authenticator>
  /** The bytes that tell a client it has what it asked for, at this address. */
  readonly succeeded: (bound: NetAddress.InetAddress) => Uint8Array
  /** The bytes that tell a client of an error; none where silence is the answer. */
  readonly failed: (error: SessionError) => Uint8Array
}
