/**
 * A network in memory: listeners that clients connect to, and targets that tests play. A whole server runs on it, with
 * its own dialer and listeners, and takes no port of the machine.
 */
import type { Duplex } from "node:stream"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { ConnectionRefused, NameNotFound } from "../Errors.ts"
import * as NodeTransport from "../network/NodeTransport.ts"
import { Resolver } from "../network/Resolver.ts"
import { Sockets } from "../network/Sockets.ts"
import type * as Transport from "../network/Transport.ts"
import { LocalAddresses } from "../policy/LocalAddresses.ts"
import { pair } from "./Connection.ts"
import * as Peer from "./Peer.ts"

/** The part of a target in a connection. When the effect succeeds, the connection is ended; when it fails, reset. */
export type Serve = (peer: Peer.Peer) => Effect.Effect<unknown, unknown>

/**
 * A network in memory: listeners that clients connect to, and targets that tests play.
 *
 * **When to use**
 *
 * Use it with `layerServer`, or provide `Network.layer` to servers that a test builds itself.
 *
 * **Example** (A target that sends back what it gets)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { layerServer, Network } from "effect-socks/testing"
 *
 * const test = Effect.gen(function* () {
 *   const { connect, target } = yield* Network
 *   yield* target("192.0.2.1:80", ({ rest, send }) => Effect.flatMap(rest, send))
 *   return yield* connect({ to: "127.0.0.1:1080" })
 * }).pipe(Effect.provide(layerServer()))
 * ```
 */
export class Network extends Context.Service<
  Network,
  {
    /** A client connected to a listener, by its address such as `127.0.0.1:1080`; to the first one, if left out. */
    readonly connect: (options?: {
      readonly to?: string
      readonly from?: NetAddress.InetAddress
    }) => Effect.Effect<Peer.Peer, ConnectionRefused, Scope.Scope>
    /**
     * Plays the target at this address or name, such as `192.0.2.1:80` or `target.example:443`, until the scope closes.
     */
    readonly target: (at: string, serve: Serve) => Effect.Effect<void, never, Scope.Scope>
    /**
     * Resets every connection of a client. A server that stops waits for its connections, and a `TestClock` may stand
     * still.
     */
    readonly reset: Effect.Effect<void>
  }
>()("effect-socks/testing/Network") {
  /**
   * With the resolver of its names, unless there is another one, on a machine without addresses. Targets that no test
   * plays refuse connections.
   */
  static readonly layer: Layer.Layer<Network | Resolver | LocalAddresses> = Layer.effectContext(
    Effect.suspend(() => make)
  )
}

/** The address that clients come from, unless said otherwise: from the range for documentation (RFC 5737). */
const clientAddress = NetAddress.inetAddressFromStringUnsafe("203.0.113.7:50000")

const make = Effect.gen(function* () {
  const listeners = new Map<string, { readonly accept: (from: NetAddress.InetAddress) => Peer.Peer }>()
  const targets = new Map<string, Serve>()
  const names = new Map<string, NetAddress.IpAddress>()
  const clients = new Set<Duplex>()
  const scope = yield* Effect.scope
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  let ports = 40_000
  let hosts = 0

  /** Of no range for special purposes, as names of the Internet have them. */
  const addressOf = (name: string): NetAddress.IpAddress => {
    const address = names.get(name) ?? NetAddress.ipFromStringUnsafe(`101.0.0.${(hosts++ % 250) + 1}`)
    names.set(name, address)
    return address
  }

  const sockets: Transport.Sockets = {
    connect: (address, port, done) => {
      const [near, far] = pair()
      const serve = targets.get(NetAddress.formatInet(NetAddress.inetAddressUnsafe(address, port)))
      queueMicrotask(() => {
        if (serve === undefined) return done("ECONNREFUSED")
        done(NetAddress.inetAddressFromStringUnsafe("198.51.100.1:1080"))
        fork(
          Effect.onExit(serve(Peer.make(far)), (exit) =>
            Effect.sync(() => (Exit.isSuccess(exit) ? far.end() : far.destroy()))
          ).pipe(Effect.exit, Effect.forkIn(scope))
        )
      })
      return NodeTransport.make(near)
    },
    listen: Effect.fnUntraced(function* ({ place, onConnection }) {
      if (!("host" in place)) return yield* Effect.fail("EAFNOSUPPORT")
      const ip =
        place.host === "localhost" ? NetAddress.ipv4Loopback : NetAddress.ipFromStringUnsafe(place.host)
      const local = NetAddress.inetAddressUnsafe(ip, place.port === 0 ? ports++ : place.port)
      const key = NetAddress.formatInet(local)
      if (listeners.has(key)) return yield* Effect.fail("EADDRINUSE")
      const stop = () => void listeners.delete(key)
      const accept = (remote: NetAddress.InetAddress) => {
        const [near, far] = pair()
        clients.add(near)
        near.once("close", () => clients.delete(near))
        onConnection(NodeTransport.make(far), { remote, local })
        return Peer.make(near)
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => listeners.set(key, { accept })),
        () => Effect.sync(stop)
      )
      return { bound: Host.hostPortUnsafe(ip, local.port), stop }
    })
  }

  const network: Network["Service"] = {
    connect: Effect.fnUntraced(function* ({ to, from = clientAddress } = {}) {
      const [first] = listeners.values()
      const listener = to === undefined ? first : listeners.get(to)
      if (listener === undefined) return yield* new ConnectionRefused()
      return yield* Effect.acquireRelease(
        Effect.sync(() => listener.accept(from)),
        ({ reset }) => reset
      )
    }),
    target: (at, serve) => {
      const { host, port } = Result.getOrThrow(Host.hostPortFromString(at))
      const address = NetAddress.isIpAddress(host) ? host : addressOf(Host.formatHost(host))
      const key = NetAddress.formatInet(NetAddress.inetAddressUnsafe(address, port))
      return Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => targets.set(key, serve)),
          () => Effect.sync(() => targets.delete(key))
        )
      )
    },
    reset: Effect.sync(() => {
      for (const client of clients) client.destroy()
    })
  }
  const resolver = Option.getOrElse(yield* Effect.serviceOption(Resolver), (): Resolver["Service"] => ({
    resolve: (name) => {
      const address = names.get(name)
      return address === undefined ? Effect.fail(new NameNotFound({ name })) : Effect.succeed([address])
    }
  }))
  return Context.make(Network, network).pipe(
    Context.add(Sockets, sockets),
    Context.add(Resolver, resolver),
    Context.add(LocalAddresses, { has: () => false })
  )
})
