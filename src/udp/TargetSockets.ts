/**
 * The sockets of an association towards its targets: one for each address family and each address from which datagrams
 * leave, made when it is first needed.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { Source } from "../network/Source.ts"
import type { UdpReceiver, UdpSocket } from "../network/UdpSocket.ts"
import { UdpSockets } from "../network/UdpSockets.ts"

export interface TargetSockets {
  /** The socket of a family that sends from the source; undefined if the system or the source has none. */
  readonly of: (isIpv4: boolean, source: Source | undefined) => UdpSocket | undefined
}

/** The most sockets of an association: those of routes with addresses of their own. */
const limit = 16

/** The sockets close with the scope. All have this receiver. */
export const make = Effect.fnUntraced(function* (
  receiver: UdpReceiver
): Effect.fn.Return<TargetSockets, never, Scope.Scope> {
  const { bind } = yield* UdpSockets
  const usual = { v4: undefined as UdpSocket | undefined, v6: undefined as UdpSocket | undefined }
  let bySource: Map<string, UdpSocket> | undefined
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      usual.v4?.close()
      usual.v6?.close()
      for (const socket of bySource?.values() ?? []) socket.close()
    })
  )
  const open = (address: NetAddress.IpAddress, isFree: boolean) => {
    const socket = bind(address, 0, isFree)
    if (typeof socket === "string") return undefined
    socket.receiver = receiver
    return socket
  }
  const from = (address: NetAddress.IpAddress) => {
    bySource ??= new Map()
    const key = NetAddress.formatIp(address)
    const existing = bySource.get(key)
    if (existing || bySource.size >= limit) return existing
    const socket = open(address, true)
    if (socket) bySource.set(key, socket)
    return socket
  }
  return {
    of: (isIpv4, source) => {
      if (source !== undefined) {
        const address = source.of(isIpv4)
        return address && from(address)
      }
      const family = isIpv4 ? "v4" : "v6"
      usual[family] ??= open(isIpv4 ? NetAddress.ipv4Unspecified : NetAddress.ipv6Unspecified, false)
      return usual[family]
    }
  }
})
