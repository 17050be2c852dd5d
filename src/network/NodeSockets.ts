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
import { naming } from "./Peer.ts"
import { ReadBuffers } from "./ReadBuffers.ts"
import type { Bound, Place, Sockets } from "./Transport.ts"

/** Sockets that are read into these shared buffers. */
export const make = (buffers: ReadBuffers = new ReadBuffers()): Sockets => ({
  connect: connect(buffers),
  listen: listen(buffers)
})

const connect =
  (buffers: ReadBuffers): Sockets["connect"] =>
  (address, port, done, from) => {
    const socket = dial({
      host: NetAddress.formatIp(address),
      port,
      ...(from !== undefined && { localAddress: NetAddress.formatIp(from) }),
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
    const peerOf = naming(bound, remoteOf, sharedLocal())
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

const remoteOf = ({ remoteAddress, remotePort }: Socket): NetAddress.InetAddress | undefined =>
  remoteAddress === undefined ? undefined : fromNode(remoteAddress, remotePort!)

/** Connections with the same local address share one object for that address, to save memory. */
const sharedLocal = (): ((socket: Socket) => NetAddress.InetAddress | undefined) => {
  let last: { readonly text: string; readonly address: NetAddress.InetAddress } | undefined
  return ({ localAddress, localPort }) => {
    if (localAddress === undefined) return undefined
    if (last?.text !== localAddress)
      last = { text: localAddress, address: fromNode(localAddress, localPort!) }
    return last.address
  }
}
