/**
 * The service that connects and listens.
 */
import * as Context from "effect/Context"
import * as NodeSockets from "./NodeSockets.ts"
import type * as Transport from "./Transport.ts"

/**
 * Where a server gets its connections: from Node's `net`, unless it says otherwise.
 *
 * **When to use**
 *
 * Provide one to run a server on another network: `effect-socks/testing` has one in memory.
 *
 * **Example** (Listening as a server does)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Sockets } from "effect-socks"
 *
 * const listen = Effect.map(Sockets, ({ listen }) => listen)
 * ```
 */
export const Sockets = Context.Reference<Transport.Sockets>("effect-socks/network/Sockets", {
  defaultValue: () => NodeSockets.make()
})
