/**
 * Clients and targets on real sockets.
 */
import { createServer, connect as dial, type ServerOpts, type Socket } from "node:net"
import { networkInterfaces } from "node:os"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Peer from "../../src/testing/Peer.ts"
import { greeting, request } from "./messages.ts"

/** Containers often go without. */
export const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === "::1")
)

/** Two ends of a connection on loopback: the one that connected, and the one that was accepted. Either may be reset. */
export const ends = (options: ServerOpts = {}) =>
  Effect.acquireRelease(
    Effect.callback<readonly [Socket, Socket]>((resume) => {
      const server = createServer(options, (accepted) => {
        server.close()
        for (const socket of [near, accepted]) socket.on("error", () => {})
        resume(Effect.succeed([near, accepted]))
      })
      let near: Socket
      server.listen(0, "127.0.0.1", () => {
        near = dial((server.address() as { readonly port: number }).port, "127.0.0.1")
      })
    }),
    (sockets) =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
      })
  )

/** A peer that knows how its socket broke. */
export interface TcpPeer extends Peer.Peer {
  readonly duplex: Socket
  /** The system's code for what broke the connection, if it broke. */
  readonly error: () => string | undefined
}

/** Connects, from this address if one is given, and closes with the scope. */
export const connect = Effect.fnUntraced(function* (
  port: number,
  host = "127.0.0.1",
  localAddress?: string
): Effect.fn.Return<TcpPeer, never, Scope.Scope> {
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() =>
      dial({ port, host, ...(localAddress && { localAddress }), allowHalfOpen: true, noDelay: true })
    ),
    (socket) => Effect.sync(() => socket.destroy())
  )
  const peer = make(socket)
  if (socket.connecting) {
    yield* Effect.callback<void>((resume) => {
      const settle = () => resume(Effect.void)
      socket.once("connect", settle).once("close", settle)
    })
  }
  return peer
})

/** A listening socket that hands over its connections one after the other. */
export interface Target {
  readonly port: number
  readonly accept: Effect.Effect<TcpPeer>
}

/** Listens until the scope closes. */
export const listen = Effect.fnUntraced(function* (
  host = "127.0.0.1"
): Effect.fn.Return<Target, never, Scope.Scope> {
  const accepted = yield* Queue.unbounded<TcpPeer>()
  const { port } = yield* serve((socket) => Queue.offerUnsafe(accepted, make(socket)), host)
  return { port, accept: Queue.take(accepted) }
})

/** A target that sends back what it gets. */
export const echo = (host = "127.0.0.1") => serve((socket) => socket.pipe(socket), host)

/** Listens until the scope closes, and breaks off then what is still connected. */
export const serve = Effect.fnUntraced(function* (
  onConnection: (socket: Socket) => void,
  host = "127.0.0.1"
): Effect.fn.Return<{ readonly port: number; readonly open: ReadonlySet<Socket> }, never, Scope.Scope> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket)
    socket.on("error", () => {}).on("close", () => open.delete(socket))
    onConnection(socket)
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen({ host, port: 0, backlog: 4096 }, () => resume(Effect.void))
    }),
    () =>
      Effect.sync(() => {
        for (const socket of open) socket.destroy()
        server.close()
      })
  )
  return { port: (server.address() as { port: number }).port, open }
})

/** A client that has asked for a target on loopback and been told yes. */
export const tunnel = Effect.fnUntraced(function* (
  proxy: number,
  port: number
): Effect.fn.Return<TcpPeer, never, Scope.Scope> {
  const { client, code } = yield* ask(proxy, "127.0.0.1", port)
  if (code !== 0x00) return yield* Effect.die(new Error(`reply ${code}`))
  return client
})

/** A client that has asked for a target, and the code of the reply; none if there was no reply. */
export const ask = Effect.fnUntraced(function* (
  proxy: number,
  host: string | ReadonlyArray<number>,
  port: number
): Effect.fn.Return<{ readonly client: TcpPeer; readonly code: number | undefined }, never, Scope.Scope> {
  const client = yield* connect(proxy)
  yield* client.send([...greeting(0x00), ...request(host, port)])
  const [, , , code] = yield* client.receive(2 + 10)
  return { client, code }
})

/** Takes its socket from a peer, paused, to read or not to read at will. */
export const socketOf = ({ duplex }: TcpPeer): Socket => duplex.removeAllListeners("data").pause()

const make = (socket: Socket): TcpPeer => {
  let code: string | undefined
  socket.on("error", (error: NodeJS.ErrnoException) => {
    code = error.code
  })
  // Where Node takes RST right behind the last bytes for an end, this tells one from the other.
  socket.on("end", () => socket.writable && socket.write(""))
  return {
    ...Peer.make(socket),
    duplex: socket,
    error: () => code,
    reset: Effect.sync(() => socket.resetAndDestroy())
  }
}
