/**
 * Where this process gets its connections: from Node's `net`, unless it says otherwise.
 */
import * as Context from "effect/Context"
import * as NodeSockets from "./NodeSockets.ts"
import type * as Transport from "./Transport.ts"

export const Sockets = Context.Reference<Transport.Sockets>("effect-socks/network/Sockets", {
  defaultValue: () => NodeSockets
})
