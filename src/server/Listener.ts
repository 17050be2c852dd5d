/**
 * A listening socket.
 */
import { createServer, type Server, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { ListenFailed } from "../Errors.ts"
import type { Peer } from "../phases/Dialect.ts"

/** Connections that the kernel may hold until they are accepted; it cuts this to its own limit. */
const backlog = 4096

/**
 * Listens until the scope closes, and hands on each connection. Returns the
 * address, with the port the system chose where none was asked for.
 */
export const listen = Effect.fnUntraced(function* (
  { host, port }: Host.HostPort,
  onConnection: (socket: Socket, peer: Peer) => void
): Effect.fn.Return<NetAddress.InetAddress, ListenFailed, Scope.Scope> {
  const server = createServer({
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000
  })
  yield* Effect.acquireRelease(bound(server, { host, port }), () => Effect.sync(() => server.close()))
  // Out of descriptors, for one. The kernel keeps the connection or drops it; the
  // listener stays.
  server.on("error", () => {})
  server.on("connection", (socket) => {
    socket.on("error", () => {})
    const peer = peerOf(socket)
    if (peer) onConnection(socket, peer)
    else socket.destroy()
  })
  return addressOf(server)
})

const bound = (server: Server, at: { host: Host.Host; port: number }): Effect.Effect<void, ListenFailed> =>
  Effect.callback((resume) => {
    const failed = (error: NodeJS.ErrnoException) => {
      const address = Host.formatHostPort(Host.hostPortUnsafe(at.host, at.port))
      resume(Effect.fail(new ListenFailed({ address, code: error.code ?? error.message })))
    }
    server.once("error", failed)
    server.listen({ host: Host.formatHost(at.host), port: at.port, backlog }, () => {
      server.off("error", failed)
      resume(Effect.void)
    })
  })

const addressOf = (server: Server): NetAddress.InetAddress => {
  const { address, port } = server.address() as { address: string; port: number }
  return NetAddress.inetAddressFromIpStringUnsafe(address, port)
}

/** Both addresses, IPv4 as IPv4 on listeners of both families; nothing if the client is gone already. */
const peerOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): Peer | undefined =>
  remoteAddress === undefined || localAddress === undefined
    ? undefined
    : { remote: inet(remoteAddress, remotePort!), local: inet(localAddress, localPort!) }

const inet = (address: string, port: number) =>
  NetAddress.toCanonical(NetAddress.inetAddressFromIpStringUnsafe(address.replace(/%.*$/, ""), port))
