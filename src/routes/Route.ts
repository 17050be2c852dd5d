/**
 * The interface of a route, which reaches the judged addresses of a target. A route gets only allowed addresses, and
 * charges the rule of an address before the route uses that address.
 *
 * `CurrentSession` has the session.
 */
import type * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { DialError, LimitError } from "../Errors.ts"
import type { Binder, Listening } from "../network/Binder.ts"
import type { Dialer, Outgoing, Way } from "../network/Dialer.ts"
import type { Resolver } from "../network/Resolver.ts"
import type { NetworkSettings } from "../network/Settings.ts"
import type { Source } from "../network/Source.ts"
import type { Access } from "../policy/Access.ts"
import type { Authorized, Permitted } from "../policy/Authorize.ts"
import type { Decision } from "../policy/Decision.ts"
import type { Target } from "../wire/Target.ts"
import type { UpstreamState } from "./UpstreamState.ts"

/** A target that the policy has judged, and its client. */
export interface JudgedTarget<out Entered = void, out R = Scope.Scope> {
  /** The identity, the client's address, the protocol, the command, and the target as the client named it. */
  readonly access: Access & { readonly target: Target }
  /** The allowed addresses in the order to try them, each with its decision. */
  readonly permitted: Authorized
  /** Charges the limits of the rule that allows an address. To be called before the address is used. */
  readonly chargeRule: (decision: Decision) => Effect.Effect<Entered, LimitError, R>
  /**
   * Milliseconds since the epoch at which the session began, if it goes on since then, as an association does: it keeps
   * the member and the address that it had at its begin. Left out for a session that begins now.
   */
  readonly since?: number | undefined
  /** This server's name in `Via`, and what stands in front of it, for a request to another proxy (RFC 9110 §7.6.3). */
  readonly via?: { readonly before: string; readonly pseudonym: string } | undefined
  /** Takes the way that is tried, so that the log has it if the session fails. */
  readonly log?: { way?: Way | undefined } | undefined
}

/** A connection, and the decision about its address. */
export interface Connected {
  readonly outgoing: Outgoing
  readonly decision: Decision
}

/**
 * A listener for one connection. The decision is undefined if any sender may connect; then the sender is judged when it
 * connects.
 */
export interface Incoming {
  readonly listening: Listening
  readonly decision: Decision | undefined
}

/** Where the datagrams to a target are sent. */
export interface DatagramDestination<out Entered> {
  /** The address to which datagrams are sent, and from which answers come. */
  readonly remote: NetAddress.InetAddress
  /** The judged address; the address of `remote`, on the direct route. */
  readonly address: NetAddress.IpAddress
  /** The result of `chargeRule` for the address. */
  readonly charge: Entered
  /** The upstream that relays the datagrams; undefined if they are sent to `remote` itself. */
  readonly relay?: DatagramRelay | undefined
  /** The addresses from which the datagrams leave; undefined where the system chooses. */
  readonly source?: Source | undefined
}

/** An upstream that relays datagrams, each with a header of RFC 1928 §7 in front, in both directions. */
export interface DatagramRelay {
  readonly at: NetAddress.InetAddress
  /**
   * The relays of further upstreams, to which this one relays: each has a header in front of that of the target, that of
   * the first of them first.
   */
  readonly through?: ReadonlyArray<NetAddress.InetAddress> | undefined
  /** Whether the upstream relays no more. */
  readonly hasEnded: boolean
  /** The way to it, for the log. */
  readonly way?: Way | undefined
  /** To be called with each datagram from it. */
  readonly onDatagram?: (() => void) | undefined
}

/** The services that connect to an upstream. */
export type Connecting = NetworkSettings | Dialer | Resolver

/** Makes the relay of this key once for an association, and again when it has ended. It stays until the association ends. */
export type Share = (
  key: string,
  make: Effect.Effect<DatagramRelay, DialError, Connecting | Scope.Scope>
) => Effect.Effect<DatagramRelay, DialError, Connecting>

/** A way to targets: connections, listeners and destinations of datagrams. */
export interface Route {
  /**
   * A text that is the same for connections to a target that may be used one for the other: a connection that is kept
   * for further requests is found by it. Undefined if no connection may be kept. Left out, all are alike. `now` is in
   * milliseconds since the epoch.
   */
  readonly keyOf?: (access: JudgedTarget["access"], permitted: Permitted, now: number) => string | undefined
  /** A connection to the target, until the scope closes. */
  readonly connect: (
    to: JudgedTarget
  ) => Effect.Effect<Connected, DialError | LimitError, NetworkSettings | Dialer | Resolver | Scope.Scope>
  /**
   * A connection for forwarded HTTP requests: to the target, or to an upstream that takes requests in absolute form. Left
   * out, as `connect`.
   */
  readonly forward?: Route["connect"] | undefined
  /**
   * A listener for a connection from the target, or from any sender if `to` is the unspecified address. `local` is the
   * server's address of the client's connection.
   */
  readonly listen: (
    to: JudgedTarget | NetAddress.IpAddress,
    local: NetAddress.IpAddress
  ) => Effect.Effect<Incoming, DialError | LimitError, Binder | Connecting | Scope.Scope>
  /** The destination of datagrams to the target. All datagrams of an association share relays by `share`. */
  readonly datagrams: <Entered>(
    to: JudgedTarget<Entered, never>,
    share: Share
  ) => Effect.Effect<DatagramDestination<Entered>, LimitError | DialError, Connecting>
  /** The upstreams of the route, as they are now; left out if it has none. */
  readonly upstreams?: (() => ReadonlyArray<UpstreamState>) | undefined
  /** False if the route can carry no datagrams, so that UDP ASSOCIATE is refused. */
  readonly carriesDatagrams?: boolean | undefined
}
