/**
 * What the protocols have in common: a client is authenticated, makes a request
 * and gets an answer.
 */
import type * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type { Authenticator } from "../auth/Authenticator.ts"
import type { SessionError } from "../Errors.ts"
import type { Access } from "../policy/Access.ts"
import type { SessionLog } from "../session/Session.ts"
import type { Accepted, Admitted } from "../session/States.ts"

/** A protocol that clients speak, and how a conversation in it begins. */
export interface Protocol {
  readonly name: Access["protocol"]
  /** Begins to speak the protocol on a connection. */
  readonly begin: (accepted: Accepted, log: SessionLog) => Effect.Effect<Exchange>
}

/** What is said on one connection. */
export interface Exchange {
  /** Authenticates the client and reads its request. After an error nothing more is read for that request. */
  readonly admit: Effect.Effect<Admitted, SessionError, Authenticator>
  /** Tells the client that its request is granted, at this address. */
  readonly succeeded: (bound: NetAddress.InetAddress) => Effect.Effect<void>
  /** Tells the client of an error, or keeps silent where that is the answer. */
  readonly failed: (error: SessionError) => Effect.Effect<void>
  /** Whether another request may follow the one that was answered; left out where a connection is for one request. */
  readonly hasNext?: () => boolean
}
