/**
 * How the judged addresses of a target are reached. A route stands between the
 * authorization of a request and its sockets: it never sees an address that was
 * denied, and it charges the rule of an address before it uses that address.
 *
 * The session is in the fiber's context, as `CurrentSession`.
 */
import type * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { DialError, LimitError } from "../Errors.ts"
import type { Binder, Listening } from "../network/Binder.ts"
import type { Dialer, Outgoing } from "../network/Dialer.ts"
import type { NetworkSettings } from "../network/Settings.ts"
import type { Access } from "../policy/Access.ts"
import type { Authorized } from "../policy/Authorize.ts"
import type { Decision } from "../policy/Decision.ts"
import type { Target } from "../wire/Target.ts"

/** A target that was judged, and the client that asked for it. */
export interface JudgedTarget<out Entered = void, out R = Scope.Scope> {
  /** The identity, the client's address, the protocol, the command, and the target as the client named it. */
  readonly access: Access & { readonly target: Target }
  /** The addresses that may be used, each with the decision that allows it, in the order to try them. */
  readonly permitted: Authorized
  /** Takes from the limits of the rule that allows an address; for each address before it is used. */
  readonly enter: (decision: Decision) => Effect.Effect<Entered, LimitError, R>
}

/** A connection, and the decision about the address that it is to. */
export interface Connected {
  readonly outgoing: Outgoing
  readonly decision: Decision
}

/**
 * A listener for one connection; the decision is undefined where every sender is expected, and each is judged when it
 * comes.
 */
export interface Incoming {
  readonly listening: Listening
  readonly decision: Decision | undefined
}

/** Where the datagrams of a target are sent, and come back from. */
export interface DatagramPath<out Entered> {
  readonly remote: NetAddress.InetAddress
  /** The judged address that this is the path to: `remote` itself, if nothing is between. */
  readonly address: NetAddress.IpAddress
  /** What `enter` gave for the address. */
  readonly entered: Entered
}

/** A way to targets: connections, listeners and paths of datagrams. */
export interface Route {
  /** A connection to the target, until the scope closes. */
  readonly connect: (
    to: JudgedTarget
  ) => Effect.Effect<Connected, DialError | LimitError, NetworkSettings | Dialer | Scope.Scope>
  /**
   * A listener for a connection from the target, or from any sender where `to` is the unspecified address. `local`
   * is the address of this machine that the client uses.
   */
  readonly listen: (
    to: JudgedTarget | NetAddress.IpAddress,
    local: NetAddress.IpAddress
  ) => Effect.Effect<Incoming, DialError | LimitError, Binder | Scope.Scope>
  /** The path of datagrams to the target. */
  readonly datagrams: <Entered>(
    to: JudgedTarget<Entered, never>
  ) => Effect.Effect<DatagramPath<Entered>, LimitError>
}
