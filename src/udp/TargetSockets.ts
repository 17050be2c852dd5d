/**
 * The sockets of an association towards its targets: one for each address family, made when it is first needed.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { UdpReceiver, UdpSocket } from "../network/UdpSocket.ts"
import { UdpSockets } from "../network/UdpSockets.ts"

export interface TargetSockets {
  /** The socket of a family; undefined if the system has none. */
  readonly of: (isIpv4: boolean) => UdpSocket | undefined
}

/** The sockets close with the scope. All have this receiver. */
export const make = Effect.fnUntraced(function* (
  receiver: UdpReceiver
): Effect.fn.Return<TargetSockets, never, Scope.Scope> {
  const { bind } = yield* UdpSockets
  const sockets = { v4: undefined as UdpSocket | undefined, v6: undefined as UdpSocket | undefined }
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      sockets.v4?.close()
      sockets.v6?.close()
    })
  )
  return {
    of: (isIpv4) => {
      const family = isIpv4 ? "v4" : "v6"
      const existing = sockets[family]
      if (existing) return existing
      const socket = bind(isIpv4 ? NetAddress.ipv4Unspecified : NetAddress.ipv6Unspecified, 0)
      if (typeof socket === "string") return undefined
      socket.receiver = receiver
      sockets[family] = socket
      return socket
    }
  }
})
