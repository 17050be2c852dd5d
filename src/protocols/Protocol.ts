/**
 * The interface of the protocols: a client is authenticated, makes a request, and gets a reply.
 */
import type * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type { Authenticator } from "../auth/Authenticator.ts"
import type { Event } from "../base/Abortable.ts"
import type { ClientGone, SessionError } from "../Errors.ts"
import type { NetworkSettings } from "../network/Settings.ts"
import type { Access } from "../policy/Access.ts"
import type { SessionLog } from "../session/Session.ts"
import type { Accepted, Admitted } from "../session/States.ts"

/** A protocol that clients speak, and how a conversation in it begins. */
export interface Protocol {
  readonly name: Access["protocol"]
  /** Begins to speak the protocol on a connection. */
  readonly begin: (accepted: Accepted, log: SessionLog) => Effect.Effect<Exchange, never, NetworkSettings>
}

/** The exchange of messages with a client on one connection. */
export interface Exchange {
  /** Authenticates the client and reads its request. After an error nothing more is read for that request. */
  readonly admit: Effect.Effect<Admitted, SessionError, Authenticator>
  /** Sends the reply that the request is granted, with this address. */
  readonly succeeded: (bound: NetAddress.InetAddress) => Effect.Effect<void>
  /**
   * Sends the reply to an error, if it has a reply: see `Reply.ts`. `remote` is the target's address, if there was a
   * connection to it and the client may know.
   */
  readonly failed: (error: SessionError, remote?: NetAddress.InetAddress) => Effect.Effect<void>
  /** Waits for the next request of an authenticated client, until it has `expired`. */
  readonly awaitNext?: (expired: Event) => Effect.Effect<void, ClientGone>
  /** Whether another request can follow. Left out where a connection has only one request. */
  readonly hasNext?: () => boolean
}
