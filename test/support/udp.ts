/**
 * Clients and targets that exchange datagrams, on real sockets.
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram"
import { once } from "node:events"
import { connect } from "node:net"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Peer from "../../src/testing/Peer.ts"
import { greeting, request } from "./messages.ts"

export interface Received {
  readonly bytes: ReadonlyArray<number>
  readonly from: RemoteInfo
}

/** A UDP socket, bound until the scope closes. */
export interface UdpPeer {
  readonly socket: Socket
  readonly port: number
  readonly send: (bytes: Iterable<number>, port: number, host?: string) => Effect.Effect<void>
  /** The next datagram. One that does not come fails the test by its time limit. */
  readonly receive: Effect.Effect<Received>
}

export const open = Effect.fnUntraced(function* (
  host = "127.0.0.1",
  port = 0
): Effect.fn.Return<UdpPeer, never, Scope.Scope> {
  const queue = yield* Queue.unbounded<Received>()
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => createSocket({ type: host.includes(":") ? "udp6" : "udp4", recvBufferSize: 1 << 20 })),
    (socket) => Effect.sync(() => socket.close())
  )
  socket
    .on("message", (bytes, from) => Queue.offerUnsafe(queue, { bytes: [...bytes], from }))
    .bind(port, host)
  yield* Effect.promise(() => once(socket, "listening"))
  return {
    socket,
    port: socket.address().port,
    send: (bytes, port, to = host) =>
      Effect.callback((resume) => {
        socket.send(Uint8Array.from(bytes), port, to, () => resume(Effect.void))
      }),
    receive: Queue.take(queue)
  }
})

/** A target that sends back what it gets. */
export const echo = Effect.fnUntraced(function* (
  host = "127.0.0.1"
): Effect.fn.Return<UdpPeer, never, Scope.Scope> {
  const peer = yield* open(host)
  peer.socket.on("message", (bytes, { port, address }) => peer.socket.send(bytes, port, address))
  return peer
})

/** A control connection that has asked for an association, and what it was told. */
export interface Associated {
  readonly control: Peer.Peer
  readonly code: number
  readonly host: string
  readonly port: number
}

/** Asks the proxy on this port; the client's own address and port in the request are zeros unless given. */
export const associate = Effect.fnUntraced(function* (
  proxy: number,
  options: {
    readonly host?: string
    readonly declared?: readonly [host: string | ReadonlyArray<number>, port: number]
  } = {}
): Effect.fn.Return<Associated, never, Scope.Scope> {
  const { host = "127.0.0.1", declared = ["0.0.0.0", 0] } = options
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => connect({ port: proxy, host, noDelay: true })),
    (socket) => Effect.sync(() => socket.destroy())
  )
  const control = Peer.make(socket)
  yield* control.send([...greeting(0x00), ...request(...declared, 0x03)])
  const [, , , code = -1, , type] = yield* control.receive(2 + 4)
  const address = yield* control.receive(type === 0x04 ? 16 : 4)
  const [high = 0, low = 0] = yield* control.receive(2)
  return { control, code, host: type === 0x04 ? host : address.join("."), port: (high << 8) | low }
})
