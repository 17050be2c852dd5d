/**
 * A listening socket: of its own, in the file system, or passed by systemd.
 */
import { createServer, type Server, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { Event } from "../base/Abortable.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import { ListenFailed } from "../Errors.ts"
import { fromNode } from "../network/NodeAddress.ts"
import * as NodeTransport from "../network/NodeTransport.ts"
import type { Peer } from "../network/Peer.ts"
import type { Transport } from "../network/Transport.ts"
import { ListenBackend } from "./ListenBackend.ts"

export interface Options {
  /** Permission bits of the sockets that it makes in the file system. */
  readonly unixMode: number
  readonly onConnection: (transport: Transport, peer: Peer) => void
  /** The system had no descriptor for a connection. */
  readonly onShortage: () => void
}

/** Where a socket turned out to listen. */
export type Bound = Host.HostPort | NetAddress.UnixPathAddress

/** Connections that the kernel may hold until they are accepted; it cuts this to its own limit. */
const backlog = 4096

/**
 * Listens until the scope closes, and hands on each connection. Returns the
 * addresses, with the port the system chose where none was asked for.
 */
export const listen = Effect.fnUntraced(function* (
  place: ListenAddress.Place,
  { unixMode, onConnection, onShortage }: Options
): Effect.fn.Return<ReadonlyArray<Bound>, ListenFailed, Scope.Scope> {
  const { reusePort, clear, withMode, passed, lost } = yield* ListenBackend
  const open = (start: (server: Server) => void, path?: string) =>
    accepting(start, path, { onConnection, onShortage, lost })
  const opened = Effect.gen(function* () {
    switch (place._tag) {
      case "HostPort": {
        const options = { backlog, host: Host.formatHost(place.host), port: place.port }
        // Of a port that is yet to be chosen, each process would get another.
        const shared = reusePort && place.port !== 0 ? { reusePort } : {}
        return [yield* open((server) => server.listen({ ...options, ...shared }))]
      }
      case "UnixPathAddress": {
        const { path } = place
        yield* clear(path)
        const start = (server: Server) => server.listen({ backlog, path })
        return [yield* open((server) => withMode(unixMode, () => start(server)), path)]
      }
      case "Systemd": {
        const sockets = passed(place.name)
        if (sockets.length === 0) return yield* Effect.fail("ENODATA")
        return yield* Effect.forEach(sockets, ({ fd, path }) =>
          open((server) => server.listen({ fd, backlog }), path)
        )
      }
    }
  })
  return yield* Effect.mapError(
    opened,
    (code) => new ListenFailed({ address: ListenAddress.format(place), code })
  )
})

/** `path` is that of a socket in the file system. Fails with the system's code. */
const accepting = Effect.fnUntraced(function* (
  start: (server: Server) => void,
  path: string | undefined,
  { onConnection, onShortage, lost }: Pick<Options, "onConnection" | "onShortage"> & { readonly lost: Event }
): Effect.fn.Return<Bound, string, Scope.Scope> {
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  yield* Effect.acquireRelease(started(server, start, lost), () => Effect.sync(() => server.close()))
  const bound = boundOf(server, path)
  // There is no descriptor left, for instance. The kernel keeps the connection or
  // drops it; the listener stays.
  server.on("error", onShortage)
  const peerOf = introducing(bound)
  server.on("connection", (socket) => {
    const transport = NodeTransport.make(socket)
    const peer = peerOf(socket)
    if (peer) onConnection(transport, peer)
    else transport.close()
  })
  return bound
})

const started = (server: Server, start: (server: Server) => void, lost: Event): Effect.Effect<void, string> =>
  Effect.callback((resume) => {
    const failed = (error: NodeJS.ErrnoException) => {
      cancel()
      resume(Effect.fail(error.code ?? error.message))
    }
    server.once("error", failed)
    server.once("listening", () => {
      cancel()
      server.off("error", failed)
      resume(Effect.void)
    })
    start(server)
    const cancel = lost(() => resume(Effect.fail("EPIPE")))
  })

const boundOf = (server: Server, path = ""): Bound => {
  const at = server.address()
  return typeof at === "object" && at !== null
    ? Host.hostPortUnsafe(fromNode(at.address, at.port).address, at.port)
    : NetAddress.unixPathAddress(path)
}

/**
 * Both addresses of a connection, IPv4 as IPv4 on listeners of both families;
 * nothing if the client is gone already. Connections with the same local address
 * share one object for it.
 */
const introducing = (bound: Bound): ((socket: Socket) => Peer | undefined) => {
  if (bound._tag === "UnixPathAddress") {
    const peer = { remote: bound, local: bound }
    return () => peer
  }
  const { host, port } = bound
  const isOne = NetAddress.isIpAddress(host) && !NetAddress.isUnspecified(host)
  const only = isOne ? NetAddress.inetAddressUnsafe(host, port) : undefined
  let last: { readonly text: string; readonly address: NetAddress.InetAddress } | undefined
  const localOf = ({ localAddress }: Socket) => {
    if (localAddress !== undefined && last?.text !== localAddress) {
      last = { text: localAddress, address: fromNode(localAddress, port) }
    }
    return localAddress === undefined ? undefined : last?.address
  }
  return (socket) => {
    const { remoteAddress, remotePort } = socket
    const local = only ?? localOf(socket)
    return remoteAddress === undefined || local === undefined
      ? undefined
      : { remote: fromNode(remoteAddress, remotePort!), local }
  }
}
