/**
 * Where a server gets its connections.
 */
import * as Context from "effect/Context"
import * as NodeSockets from "./NodeSockets.ts"
import type * as Transport from "./Transport.ts"

/**
 * What the dialer, BIND and the listeners connect and listen with: Node's `net` by default. Another one is provided
 * around the services and the server alike, as `Layer.succeed(Sockets, mine)`; datagrams do not go by it.
 */
export const Sockets = Context.Reference<Transport.Sockets>("effect-socks/network/Sockets", {
  defaultValue: () => NodeSockets.make()
})
