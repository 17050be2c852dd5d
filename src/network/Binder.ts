/**
 * Waiting for one connection from a target: BIND's one-shot listener.
 */
import { createSocket } from "node:dgram"
import { createServer, type Socket } from "node:net"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { ConnectTimeout, type DialError, NotAllowed } from "../Errors.ts"
import { fromCode, type Outgoing } from "./Dialer.ts"
import { fromNode } from "./NodeAddress.ts"
import * as NodeTransport from "./NodeTransport.ts"
import { NetworkSettings } from "./Settings.ts"

/** A listener that takes one connection. */
export interface Listening {
  /** Where the target has to connect to: the client is told, and tells the target. */
  readonly bound: NetAddress.InetAddress
  /** The one connection. Whoever else comes first ends the wait, with `NotAllowed`. */
  readonly accepted: Effect.Effect<Outgoing, DialError>
}

export class Binder extends Context.Service<
  Binder,
  {
    /**
     * Listens for a connection from `expected`, on the address from which this
     * machine reaches it; from anyone, on `local`, if it is unspecified. The
     * listener closes with the first connection, and everything with the scope.
     */
    readonly listen: (
      expected: NetAddress.IpAddress,
      local: NetAddress.IpAddress
    ) => Effect.Effect<Listening, DialError, Scope.Scope>
  }
>()("effect-socks/network/Binder") {
  static readonly layer: Layer.Layer<Binder, never, NetworkSettings> = Layer.effect(
    Binder,
    Effect.map(NetworkSettings, ({ bindTimeout }) => ({
      listen: (expected, local) =>
        Effect.gen(function* () {
          const isAnyone = NetAddress.isUnspecified(expected)
          const first = Deferred.makeUnsafe<Socket>()
          const bound = yield* listen(isAnyone ? local : yield* sourceTowards(expected), first)
          return {
            bound,
            accepted: Deferred.await(first).pipe(
              Effect.timeoutOrElse({
                duration: bindTimeout,
                orElse: () => Effect.fail(new ConnectTimeout())
              }),
              Effect.flatMap((socket) => admit(socket, isAnyone ? undefined : expected, bound))
            )
          }
        })
    }))
  )
}

/** Listens on a port of the system's choice until there is a first connection, or the scope closes. */
const listen = Effect.fnUntraced(function* (
  address: NetAddress.IpAddress,
  first: Deferred.Deferred<Socket>
): Effect.fn.Return<NetAddress.InetAddress, DialError, Scope.Scope> {
  const accepted: Array<Socket> = []
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true })
  server.on("connection", (socket) => {
    accepted.push(socket)
    socket.on("error", () => {})
    server.close()
    if (accepted.length === 1) Deferred.doneUnsafe(first, Effect.succeed(socket))
    else socket.destroy()
  })
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      server.close()
      for (const socket of accepted) socket.destroy()
    })
  )
  yield* Effect.callback<void, DialError>((resume) => {
    server.on("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(fromCode(error.code))))
    // Exclusive: also where processes share what the server itself listens on.
    server.listen({ host: NetAddress.formatIp(address), port: 0, backlog: 1, exclusive: true }, () =>
      resume(Effect.void)
    )
  })
  return NetAddress.inetAddressUnsafe(address, (server.address() as { readonly port: number }).port)
})

/** RFC 1928 §6 and SOCKS4: nobody else's connection is passed off as the expected one. */
const admit = (
  socket: Socket,
  expected: NetAddress.IpAddress | undefined,
  local: NetAddress.InetAddress
): Effect.Effect<Outgoing, NotAllowed> => {
  const { remoteAddress, remotePort } = socket
  const remote = remoteAddress === undefined ? undefined : fromNode(remoteAddress, remotePort!)
  if (remote && (expected === undefined || Equal.equals(remote.address, expected))) {
    return Effect.succeed({ transport: NodeTransport.make(socket), local, remote })
  }
  socket.resetAndDestroy()
  return Effect.fail(
    new NotAllowed({ reason: `${remoteAddress ?? "someone"} connected instead of the target` })
  )
}

/**
 * This machine's address on the way to another. Connecting a datagram socket
 * makes the system choose a route, and sends nothing.
 */
const sourceTowards = (address: NetAddress.IpAddress): Effect.Effect<NetAddress.IpAddress, DialError> =>
  Effect.acquireUseRelease(
    Effect.sync(() => createSocket(NetAddress.isIpv4Address(address) ? "udp4" : "udp6")),
    (probe) =>
      Effect.callback<NetAddress.IpAddress, DialError>((resume) => {
        probe.on("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(fromCode(error.code))))
        // Any port does.
        probe.connect(9, NetAddress.formatIp(address), () => {
          resume(Effect.succeed(NetAddress.ipFromStringUnsafe(probe.address().address)))
        })
      }),
    (probe) => Effect.sync(() => probe.close())
  )
