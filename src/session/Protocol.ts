/**
 * What the protocols spoken here have in common: a client says who it is and
 * what it wants, and is told what came of it.
 */
import type * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type { Authenticator } from "../auth/Authenticator.ts"
import { anonymous, type Identity } from "../auth/Identity.ts"
import type { SessionError } from "../Errors.ts"
import type { Client } from "../network/Client.ts"
import type { HttpExchange } from "../network/HttpConnection.ts"
import { hostOf, listenerOf, type Peer } from "../network/Peer.ts"
import type { Ending, Traffic } from "../network/Relay.ts"
import type { Access } from "../policy/Access.ts"
import type { Decision } from "../policy/Decision.ts"
import type { Head } from "../wire/Http.ts"
import type { Target } from "../wire/Target.ts"

export type Command = Request["command"]

/** What a client that was let in asks for. */
export type Request = Connection | Forwarding

/** Bytes to be moved, whatever they are. */
export interface Connection {
  readonly command: "CONNECT" | "BIND" | "ASSOCIATE"
  readonly target: Target
}

/** A request of the client's to be made in its place (RFC 9110 §7.3.2). */
export interface Forwarding {
  readonly command: "FORWARD"
  readonly target: Target
  readonly head: Head
  /** Path and query. */
  readonly path: string
  readonly exchange: HttpExchange
}

/** Whose a session is: its user's, or if nobody was asked, its address's. */
export const ownerOf = ({
  identity,
  peer
}: Known): { readonly whose: "client" | "user"; readonly key: string } =>
  identity?.user === undefined
    ? { whose: "client", key: `client ${hostOf(peer)}` }
    : { whose: "user", key: `user ${identity.user}` }

/** What is known of a session, filled in as it becomes so. */
export interface Known {
  peer: Peer
  /** Milliseconds since the epoch. */
  startedAt: number
  /** Who the connection itself proves the client to be, by a certificate; nobody else is asked then. */
  certified?: Identity | undefined
  /** Whether it comes from where no password is needed. */
  trusted?: boolean | undefined
  protocol?: Protocol | undefined
  exchange?: Exchange | undefined
  identity?: Identity | undefined
  /** Who the client says it is, printable, and nobody believes it. */
  unverifiedUser?: string | undefined
  request?: Request | undefined
  /** What allowed the address that is used. */
  decision?: Decision | undefined
  /** The target's address that answered. */
  address?: NetAddress.InetAddress | undefined
  outcome?: Ending | SessionError | undefined
  /** What the client was told, in HTTP. */
  status?: number | undefined
  readonly traffic: Traffic
}

/** What a policy goes by. */
export const accessOf = (
  { identity = anonymous, peer, protocol }: Known,
  { command, target }: Request
): Access & { readonly target: Target } => ({
  identity,
  client: NetAddress.isInetAddress(peer.remote) ? peer.remote.address : undefined,
  listener: listenerOf(peer),
  protocol: protocol?.name ?? "SOCKS5",
  command,
  target
})

export interface Protocol {
  readonly name: Access["protocol"]
  /** Begins to speak it with a client. */
  readonly begin: (client: Client) => Exchange
}

/** What is said on one connection. */
export interface Exchange {
  /** Hears a client out. Whatever it fails with was the client's last word. */
  readonly receive: (known: Known) => Effect.Effect<Request, SessionError, Authenticator>
  /** Tells the client that it has what it asked for, at this address. */
  readonly succeeded: (bound: NetAddress.InetAddress) => Effect.Effect<void>
  /** Tells the client of an error, or keeps silent where that is the answer. */
  readonly failed: (error: SessionError) => Effect.Effect<void>
  /** Whether the client, answered, may ask for something else; left out where a connection is for one request. */
  readonly hasNext?: () => boolean
}
