/**
 * The service that makes UDP sockets.
 */
import * as Context from "effect/Context"
import * as NodeUdpSockets from "./NodeUdpSockets.ts"
import type * as UdpSocket from "./UdpSocket.ts"

/** The UDP sockets of associations: Node's `dgram` by default. */
export const UdpSockets = Context.Reference<UdpSocket.UdpSockets>("effect-socks/network/UdpSockets", {
  defaultValue: () => NodeUdpSockets.make()
})
