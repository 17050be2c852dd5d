/**
 * What a command is given to carry out.
 */
import type * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type { LimitError } from "../Errors.ts"
import type { Client } from "../network/Client.ts"
import type { Decision } from "../policy/Decision.ts"
import type { Known, Request } from "./Dialect.ts"

/** A request that was let in, and all it takes to carry it out. */
export interface Order<out Asked = Request> {
  readonly client: Client
  readonly request: Asked
  readonly known: Known
  /** Notes what let the request through, which may have limits of its own. */
  readonly granted: (decision: Decision) => Effect.Effect<void, LimitError>
  /** Tells the client that it has what it asked for, at this address. */
  readonly succeeded: (bound: NetAddress.InetAddress) => Effect.Effect<void>
}
