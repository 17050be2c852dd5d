/**
 * The sockets of an association towards its targets: one for each address family, made when it is first needed.
 */
import type { Socket } from "node:dgram"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { bind } from "./UdpSocket.ts"

export interface TargetSockets {
  /** The socket of a family; undefined if the system has none. */
  readonly of: (isIpv4: boolean) => Socket | undefined
}

/** The sockets close with the scope. `prepare` adds the listeners to a new socket. */
export const make = Effect.fnUntraced(function* (
  prepare: (socket: Socket) => Socket
): Effect.fn.Return<TargetSockets, never, Scope.Scope> {
  const sockets = { v4: undefined as Socket | undefined, v6: undefined as Socket | undefined }
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
      sockets[family] = prepare(socket)
      return sockets[family]
    }
  }
})
