/**
 * Connects and listens with Node's `net`.
 */
import { createServer, connect as dial, type Server, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import type { Event } from "../base/Abortable.ts"
import { fromNode } from "./NodeAddress.ts"
import * as NodeTransport from "./NodeTransport.ts"
import type { Peer } from "./Peer.ts"
import { ReadBuffers } from "./ReadBuffers.ts"
import type { Bound, Place, Sockets } from "./Transport.ts"

/** Sockets that are read into these shared buffers. */
export const make = (buffers: ReadBuffers = new ReadBuffers()): Sockets => ({
  connect: connect(buffers),
  listen: listen(buffers)
})

const connect =
  (buffers: ReadBuffers): Sockets["connect"] =>
  (address, port, done) => {
    const socket = dial({
      host: NetAddress.formatIp(address),
      port,
      allowHalfOpen: true,
      noDelay: true,
      // Node's choice among several addresses would give up a slow address after 250 ms.
      autoSelectFamily: false
    })
    const transport = NodeTransport.make(socket, { buffers })
    const failed = ({ code = "unknown" }: NodeJS.ErrnoException) => done(code)
    socket.on("error", failed)
    socket.once("connect", () => {
      // This handler would keep `done` and all that it refers to in memory.
      socket.off("error", failed)
      const { localAddress, localPort } = socket
      // A peer that resets at once can leave a connected socket without an address.
      done(localAddress === undefined ? "ECONNRESET" : fromNode(localAddress, localPort!))
    })
    return transport
  }

const listen = (buffers: ReadBuffers): Sockets["listen"] =>
  Effect.fnUntraced(function* ({
    place,
    backlog,
    binding = (bind: () => void) => bind(),
    lost = () => () => {},
    onConnection,
    onShortage
  }) {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    const stop = () => void server.close()
    const start = () => binding(() => server.listen({ ...optionsOf(place), backlog }))
    yield* Effect.acquireRelease(started(server, start, lost), () => Effect.sync(stop))
    const bound = boundOf(server, "path" in place ? place.path : undefined)
    server.on("error", onShortage)
    const peerOf = introducing(bound)
    server.on("connection", (socket) => onConnection(NodeTransport.make(socket, { buffers }), peerOf(socket)))
    return { bound, stop }
  })

const optionsOf = (place: Place) => {
  if ("fd" in place) return { fd: place.fd }
  if ("path" in place) return { path: place.path }
  const { host, port, sharing } = place
  return {
    host,
    port,
    ...(sharing === "shared" && { reusePort: true }),
    ...(sharing === "exclusive" && { exclusive: true })
  }
}

const started = (server: Server, start: () => void, lost: Event): Effect.Effect<void, string> =>
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
    start()
    const cancel = lost(() => resume(Effect.fail("EPIPE")))
  })

const boundOf = (server: Server, path = ""): Bound => {
  const at = server.address()
  return typeof at === "object" && at !== null
    ? Host.hostPortUnsafe(fromNode(at.address, at.port).address, at.port)
    : NetAddress.unixPathAddress(path)
}

/**
 * The addresses of both ends of a connection; undefined if the client is gone already. IPv4-mapped addresses become
 * IPv4. Connections with the same local address share one object for that address, to save memory.
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
