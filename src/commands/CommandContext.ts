/**
 * What a command is given to carry out.
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

/** A request that was let in, and all it takes to carry it out. */
export interface CommandContext<out Asked = Request> {
  readonly client: Client
  readonly admitted: Admitted
  /** The request that was admitted, as this command takes it. */
  readonly request: Asked
  readonly log: SessionLog
  /** Notes that the session has a connection to its target. */
  readonly connected: (running: Running) => Effect.Effect<void>
  /**
   * Takes what the limits of a rule say that it takes to use what the rule
   * allows, until the scope closes. What moves is counted in `traffic`, the
   * session's own where it is left out.
   */
  readonly enter: (decision: Decision, traffic?: Traffic) => Effect.Effect<void, LimitError, Scope.Scope>
  /** Tells the client that it has what it asked for, at this address. */
  readonly succeeded: (bound: NetAddress.InetAddress) => Effect.Effect<void>
}
