/**
 * The states of a session: accepted, admitted, running. Each state is made from the state before, and has a required
 * field for everything known by then.
 */
import * as NetAddress from "effect/net/NetAddress"
import type { Authenticated, Proof } from "../auth/Authenticated.ts"
import type { Client } from "../network/Client.ts"
import type { Way } from "../network/Dialer.ts"
import type { HttpExchange } from "../network/HttpExchange.ts"
import { listenerOf, type Peer } from "../network/Peer.ts"
import type { Access } from "../policy/Access.ts"
import type { Decision } from "../policy/Decision.ts"
import type { Head } from "../wire/Http.ts"
import type { Target } from "../wire/Target.ts"

export type Command = Request["command"]

/** The request of a client. */
export type Request = Connection | Forwarding

/** A request of CONNECT, BIND or ASSOCIATE, whose bytes are relayed unread. */
export interface Connection {
  readonly command: Exclude<Access["command"], Forwarding["command"]>
  readonly target: Target
  /** What `Via` has in front of this server if the request goes to another proxy (RFC 9110 §7.6.3); left out for SOCKS. */
  readonly via?: string
  /** Whether the datagrams of ASSOCIATE go in capsules on the client's connection, to this target alone (RFC 9298). */
  readonly isConnectUdp?: boolean
}

/** An HTTP request to forward (RFC 9110 §7.3.2). */
export interface Forwarding {
  readonly command: "FORWARD"
  readonly target: Target
  readonly head: Head
  /** Path and query. */
  readonly path: string
  readonly exchange: HttpExchange
}

/** A connection after the PROXY header and the TLS handshake. */
export interface Accepted extends Proof {
  readonly client: Client
  readonly peer: Peer
  /** Whether the client speaks TLS with this server. */
  readonly isTls?: boolean
  /** Replaced when the users change. */
  certified: Authenticated | undefined
}

/** An authenticated client, and its request. */
export interface Admitted {
  readonly peer: Peer
  /** Replaced when the users change. */
  identity: Authenticated
  readonly protocol: Access["protocol"]
  readonly request: Request
}

/** An admitted request with a connection to its target. */
export interface Running {
  readonly admitted: Admitted
  /** The decision about `remote`. */
  readonly decision: Decision
  /** The target's address that the session uses. */
  readonly remote: NetAddress.InetAddress
  /** The way of the connection; undefined for a route that says nothing, as the direct one. */
  readonly way?: Way | undefined
}

/** The access that the policy judges. */
export const accessOf = ({
  identity,
  peer,
  protocol,
  request: { command, target }
}: Admitted): Access & { readonly target: Target } => ({
  identity,
  client: NetAddress.isInetAddress(peer.remote) ? peer.remote.address : undefined,
  listener: listenerOf(peer),
  protocol,
  command,
  target
})
