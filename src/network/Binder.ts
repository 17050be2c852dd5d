/**
 * The listener of BIND, which accepts one connection from a target.
 */
import { createSocket } from "node:dgram"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { AddressFamilyUnavailable, ConnectTimeout, type DialError, NotAllowed } from "../Errors.ts"
import { failureOf, fromCode, type Outgoing } from "./Dialer.ts"
import type { Peer } from "./Peer.ts"
import { NetworkSettings } from "./Settings.ts"
import { Sockets } from "./Sockets.ts"
import { CurrentSource } from "./Source.ts"
import type { Transport } from "./Transport.ts"

/** A listener that accepts one connection. */
export interface Listening {
  /** The address to which the target has to connect. The client gets the address in its first reply. */
  readonly bound: NetAddress.InetAddress
  /** Waits for the connection. Fails with `NotAllowed` if the first connection is from another address. */
  readonly accepted: Effect.Effect<Outgoing, DialError>
}

interface Incoming {
  readonly transport: Transport
  readonly peer: Peer | undefined
}

/**
 * Waits for a connection from a target, for BIND.
 *
 * **When to use**
 *
 * Replace it if such connections arrive elsewhere than at a socket of this machine.
 *
 * **Example** (A binder that fails)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Binder, Errors, Server } from "effect-socks"
 *
 * const NoBinder = Layer.succeed(Binder, { listen: () => Effect.fail(new Errors.NetworkUnreachable()) })
 *
 * const ProxyLive = Server.layer({ bind: true }).pipe(Layer.provide(NoBinder))
 * ```
 */
export class Binder extends Context.Service<
  Binder,
  {
    /**
     * Listens for a connection from `expected`, on the address of this machine that has the route to `expected`. If
     * `expected` is the unspecified address, listens on `local` for a connection from any address. A `CurrentSource` is in
     * the place of either address. The listener closes
     * after the first connection; listener and connection close with the scope.
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
          const first = Deferred.makeUnsafe<Incoming>()
          const source = yield* CurrentSource
          const own = source?.of(NetAddress.isIpv4Address(isAnyone ? local : expected))
          if (source !== undefined && own === undefined) return yield* new AddressFamilyUnavailable()
          const at = own ?? (isAnyone ? local : yield* sourceTowards(expected))
          const bound = yield* Effect.mapError(listen(at, first, own !== undefined), (code) =>
            failureOf(code, own)
          )
          return {
            bound,
            accepted: Deferred.await(first).pipe(
              Effect.timeoutOrElse({
                duration: bindTimeout,
                orElse: () => Effect.fail(new ConnectTimeout())
              }),
              Effect.flatMap((incoming) => admit(incoming, isAnyone ? undefined : expected, bound))
            )
          }
        })
    }))
  )
}

/** Listens on a port that the system chooses, until the first connection comes or the scope closes. */
const listen = Effect.fnUntraced(function* (
  address: NetAddress.IpAddress,
  first: Deferred.Deferred<Incoming>,
  isFree: boolean
): Effect.fn.Return<NetAddress.InetAddress, string, Scope.Scope> {
  const sockets = yield* Sockets
  const accepted: Array<Transport> = []
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const transport of accepted) transport.close()
    })
  )
  let stop = () => {}
  const listening = yield* sockets.listen({
    // Exclusive, because workers share the sockets of the listeners, and this port is for one session.
    place: { host: NetAddress.formatIp(address), port: 0, sharing: "exclusive", isFree },
    backlog: 1,
    onShortage: () => {},
    onConnection: (transport, peer) => {
      accepted.push(transport)
      stop()
      if (accepted.length === 1) Deferred.doneUnsafe(first, Effect.succeed({ transport, peer }))
      else transport.close()
    }
  })
  stop = listening.stop
  if (accepted.length > 0) stop()
  const { bound } = listening
  return NetAddress.inetAddressUnsafe(address, "port" in bound ? bound.port : 0)
})

/** Accepts only a connection from the expected address, as RFC 1928 §6 and SOCKS4 require. */
const admit = (
  { transport, peer }: Incoming,
  expected: NetAddress.IpAddress | undefined,
  local: NetAddress.InetAddress
): Effect.Effect<Outgoing, NotAllowed> => {
  const remote = peer && NetAddress.isInetAddress(peer.remote) ? peer.remote : undefined
  if (remote && (expected === undefined || Equal.equals(remote.address, expected))) {
    return Effect.succeed({ transport, local, remote })
  }
  transport.reset()
  const other = remote ? NetAddress.formatIp(remote.address) : "another client"
  return Effect.fail(new NotAllowed({ reason: `${other} connected instead of the target` }))
}

/**
 * The address of this machine that has the route to `address`. Connecting a UDP socket makes the system choose the
 * route, and sends nothing.
 */
const sourceTowards = (address: NetAddress.IpAddress): Effect.Effect<NetAddress.IpAddress, DialError> =>
  Effect.acquireUseRelease(
    Effect.sync(() => createSocket(NetAddress.isIpv4Address(address) ? "udp4" : "udp6")),
    (probe) =>
      Effect.callback<NetAddress.IpAddress, DialError>((resume) => {
        probe.on("error", (error: NodeJS.ErrnoException) => resume(Effect.fail(fromCode(error.code))))
        // The port does not matter.
        probe.connect(9, NetAddress.formatIp(address), () => {
          resume(Effect.succeed(NetAddress.ipFromStringUnsafe(probe.address().address)))
        })
      }),
    (probe) => Effect.sync(() => probe.close())
  )
