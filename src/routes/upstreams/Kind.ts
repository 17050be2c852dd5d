/**
 * The interface of a kind of upstream: what is said to an upstream so that the connection to it becomes one to a target.
 */
import type * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type { DialError } from "../../Errors.ts"
import type { Credentials } from "../../wire/Socks5.ts"
import type { Target } from "../../wire/Target.ts"
import type { Conversation } from "../Conversation.ts"

/** What an upstream is asked for. */
export interface Request {
  /** A name only if the upstream is to resolve names. */
  readonly target: Target
  readonly credentials: Credentials | undefined
  /** Whether the upstream takes messages before it has answered the messages before. */
  readonly isPipelined: boolean
  /** The proxies that have asked for the target, for a protocol that has a place for them (RFC 9110 §7.6.3). */
  readonly via?: string | undefined
  /** Takes the address from which the upstream connects to the target, if the upstream tells the address. */
  readonly bound: (address: NetAddress.InetAddress) => void
}

export interface Kind {
  /**
   * Asks for a connection to the target. An upstream's own failure is an error of its own; what the upstream tells of
   * the target is the error that this server would have for the target. The last answer may be put off.
   */
  readonly connect: (conversation: Conversation, request: Request) => Effect.Effect<void, DialError>
  /** Asks for a relay of datagrams, and returns its address. Left out where the protocol has none. */
  readonly associate?: (
    conversation: Conversation,
    request: Omit<Request, "target" | "via" | "bound">
  ) => Effect.Effect<NetAddress.InetAddress, DialError>
  /**
   * Asks for a listener for a connection from the target, and returns its address; with the second effect, the address of
   * the connection, when it has come. Left out where there is none.
   */
  readonly bind?: (
    conversation: Conversation,
    request: Omit<Request, "via" | "bound">
  ) => Effect.Effect<Bound, DialError>
}

export interface Bound {
  readonly at: NetAddress.InetAddress
  readonly accepted: Effect.Effect<NetAddress.InetAddress, DialError>
}
