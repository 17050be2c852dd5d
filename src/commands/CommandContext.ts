/**
 * The input of a command.
 */
import type * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { LimitError } from "../Errors.ts"
import type { Client } from "../network/Client.ts"
import type { Traffic } from "../network/Relay.ts"
import type { Decision } from "../policy/Decision.ts"
import type { SessionLog } from "../session/Session.ts"
import type { Admitted, Request, Running } from "../session/States.ts"

/** An admitted request, and the functions to carry it out. */
export interface CommandContext<out Asked = Request> {
  readonly client: Client
  readonly admitted: Admitted
  /** The admitted request, in the type of this command. */
  readonly request: Asked
  readonly log: SessionLog
  /** Notes that the session has a connection to its target. */
  readonly connected: (running: Running) => Effect.Effect<void>
  /**
   * Charges the limits of the rule that decided, until the scope closes. The rule's quotas count the bytes in
   * `traffic`, by default those of the session.
   */
  readonly chargeRule: (decision: Decision, traffic?: Traffic) => Effect.Effect<void, LimitError, Scope.Scope>
  /** Sends the reply that the request is granted, with this address. */
  readonly succeeded: (bound: NetAddress.InetAddress) => Effect.Effect<void>
}
