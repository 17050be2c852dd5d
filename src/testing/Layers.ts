/**
 * Layers and connections for tests of a server without a network: targets in memory,
 * and failures on demand.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { Bans } from "../bans/Bans.ts"
import * as Hmac from "../base/Hmac.ts"
import type { DialError, ResolveError } from "../Errors.ts"
import { type Provided, Server, type StartError } from "../library/Server.ts"
import type { ServerOptions } from "../library/ServerOptions.ts"
import { Quotas } from "../limits/Quotas.ts"
import { CurrentListener } from "../network/CurrentListener.ts"
import { Dialer } from "../network/Dialer.ts"
import * as NodeTransport from "../network/NodeTransport.ts"
import { Pseudonym } from "../network/Pseudonym.ts"
import { Resolver } from "../network/Resolver.ts"
import type { Secure } from "../network/Tls.ts"
import { LocalAddresses } from "../policy/LocalAddresses.ts"
import { Policy } from "../policy/Policy.ts"
import * as Composition from "../server/Composition.ts"
import * as Config from "../server/Config.ts"
import { handle, type Services } from "../server/Connection.ts"
import type { Events } from "../session/Events.ts"
import { pair } from "./Connection.ts"
import { Network } from "./Network.ts"
import * as Peer from "./Peer.ts"

/**
 * A client connected to the server under test, served until the scope closes.
 *
 * **When to use**
 *
 * Use it with `layer`, for one connection without a server around it.
 *
 * **Example** (The greeting of SOCKS5)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { connect, layer } from "effect-socks/testing"
 *
 * const test = Effect.gen(function* () {
 *   const client = yield* connect
 *   yield* client.send([5, 1, 0])
 *   return yield* client.receive(2)
 * }).pipe(Effect.provide(layer()))
 * ```
 */
export const connect: Effect.Effect<Peer.Peer, never, Services | Scope.Scope> = Effect.suspend(() =>
  connectWith({})
)

/**
 * A client from another address, or of a listener that does a TLS handshake before anything else.
 *
 * **When to use**
 *
 * Use it for tests that depend on the address of a client.
 *
 * **Example** (A client at an address)
 *
 * ```ts
 * import { NetAddress } from "effect/net"
 * import { connectWith } from "effect-socks/testing"
 *
 * const client = connectWith({ remote: NetAddress.inetAddressFromStringUnsafe("192.0.2.7:50000") })
 * ```
 */
export const connectWith = Effect.fnUntraced(function* ({
  remote = clientAddress,
  secure
}: {
  readonly remote?: NetAddress.SocketAddress
  readonly secure?: Secure
}): Effect.fn.Return<Peer.Peer, never, Services | Scope.Scope> {
  const [near, far] = pair()
  yield* Effect.forkScoped(handle(NodeTransport.make(far), { remote, local: serverAddress }, secure))
  yield* Effect.addFinalizer(() => Effect.sync(() => near.destroy()))
  return Peer.make(near)
})

/**
 * The settings and services of `layer` that a test replaces.
 *
 * **When to use**
 *
 * Use it for the settings and the services of a test.
 *
 * **Example** (A dialer that fails)
 *
 * ```ts
 * import { Errors } from "effect-socks"
 * import { failingDialer, layer, type Replacements } from "effect-socks/testing"
 *
 * const replacements: Replacements = { dialer: failingDialer(new Errors.ConnectionRefused()) }
 * const services = layer(replacements)
 * ```
 */
export interface Replacements extends Composition.Replacements {
  readonly config?: Partial<Config.Values>
  /** The addresses of the machine, for the policy. */
  readonly localAddresses?: ReadonlyArray<NetAddress.IpAddress>
}

/**
 * All services that serve a connection, on a machine without addresses. The default resolver knows `target.example` as
 * 192.0.2.1, and the default targets send back all bytes.
 *
 * **When to use**
 *
 * Use it for single connections; `layerServer` has a whole server.
 *
 * **Example** (A connection)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { connect, layer } from "effect-socks/testing"
 *
 * const test = Effect.flatMap(connect, ({ send }) => send([5, 1, 0])).pipe(Effect.provide(layer()))
 * ```
 */
export const layer = ({
  config,
  localAddresses = [],
  ...replacements
}: Replacements = {}): Layer.Layer<Services | Config.Sections | Events> =>
  Layer.mergeAll(
    Composition.services({
      policy: Layer.provide(Policy.layer, LocalAddresses.layerFixed(localAddresses)),
      resolver: Resolver.layerFixed({ "target.example": [targetAddress.address] }),
      dialer: dialer((target) => target.duplex.pipe(target.duplex)),
      ...replacements
    }),
    Composition.counted(
      Layer.mergeAll(Layer.succeed(Pseudonym, pseudonym), Quotas.layer, Layer.provide(Bans.layer, Hmac.layer))
    ),
    CurrentListener.layer
  ).pipe(Layer.orDie, Layer.provideMerge(Config.layer(config)))

/**
 * A whole server on a network in memory: with its listeners, reloads and bans, and without a port of this machine.
 * Services that are provided to the layer replace its own.
 *
 * **When to use**
 *
 * Use it for the tests of an app, with `Network` for its clients and targets. Its clock is `TestClock`.
 *
 * **Example** (A reload without ports)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Reload } from "effect-socks"
 * import { layerServer, Network } from "effect-socks/testing"
 *
 * const test = Effect.gen(function* () {
 *   const { connect, target } = yield* Network
 *   yield* target("target.example:80", ({ send }) => send("hello"))
 *   const client = yield* connect()
 *   yield* (yield* Reload)({ denyTarget: "target.example" })
 *   yield* client.end
 * }).pipe(Effect.provide(layerServer()))
 * ```
 */
export const layerServer = (options: ServerOptions = {}): Layer.Layer<Provided | Network, StartError> =>
  layerNetwork(Server.layer(options))

/**
 * The server of an app, with the services that the app replaces, on a network in memory.
 *
 * **When to use**
 *
 * Use it to test the layer that an app runs. It resets all connections before the server stops, which would wait for
 * its clients.
 *
 * **Example** (The layer of an app)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Server } from "effect-socks"
 * import { layerNetwork, Network } from "effect-socks/testing"
 *
 * const ProxyLive = Server.layer({ listen: "127.0.0.1:0", users: Redacted.make("alice:secret") })
 *
 * const test = Effect.gen(function* () {
 *   const { connect } = yield* Network
 *   const client = yield* connect()
 *   yield* client.send([5, 1, 2])
 *   return yield* client.receive(2)
 * }).pipe(Effect.provide(layerNetwork(ProxyLive)))
 * ```
 */
export const layerNetwork = <A, E, R>(server: Layer.Layer<A, E, R>): Layer.Layer<A | Network, E, R> =>
  Layer.effectDiscard(Effect.flatMap(Network, ({ reset }) => Effect.addFinalizer(() => reset))).pipe(
    Layer.provideMerge(server),
    Layer.provideMerge(Network.layer)
  )

/**
 * A dialer that connects to everything; `serve` plays the target's part, at once or as an effect.
 *
 * **When to use**
 *
 * Use it as a replacement in `layer`. In a whole server, `Network.target` plays a target.
 *
 * **Example** (Targets that say hello)
 *
 * ```ts
 * import { dialer, layer } from "effect-socks/testing"
 *
 * const services = layer({ dialer: dialer(({ send }) => send("hello")) })
 * ```
 */
export const dialer = (
  serve: (target: Peer.Peer, address: NetAddress.IpAddress, port: number) => unknown
): Layer.Layer<Dialer> =>
  Layer.succeed(Dialer, {
    connect: (address, port) =>
      Effect.gen(function* () {
        const [near, far] = pair()
        yield* Effect.addFinalizer(() => Effect.sync(() => near.destroy()))
        const served = serve(Peer.make(far), address, port)
        if (Effect.isEffect(served)) yield* Effect.forkScoped(served as Effect.Effect<unknown>)
        return {
          transport: NodeTransport.make(near),
          local: serverAddress,
          remote: NetAddress.inetAddressUnsafe(address, port)
        }
      })
  })

/**
 * A dialer that fails with this error.
 *
 * **When to use**
 *
 * Use it to test the replies to an error of the dialer.
 *
 * **Example** (No host)
 *
 * ```ts
 * import { Errors } from "effect-socks"
 * import { failingDialer, layer } from "effect-socks/testing"
 *
 * const services = layer({ dialer: failingDialer(new Errors.HostUnreachable()) })
 * ```
 */
export const failingDialer = (error: DialError): Layer.Layer<Dialer> =>
  Layer.succeed(Dialer, { connect: () => Effect.fail(error) })

/**
 * A resolver that fails with this error.
 *
 * **When to use**
 *
 * Use it to test the replies to an error of the resolver.
 *
 * **Example** (Name servers that do not answer)
 *
 * ```ts
 * import { Errors } from "effect-socks"
 * import { failingResolver, layer } from "effect-socks/testing"
 *
 * const services = layer({ resolver: failingResolver(new Errors.ResolutionTimeout({ name: "target.example" })) })
 * ```
 */
export const failingResolver = (error: ResolveError): Layer.Layer<Resolver> =>
  Layer.succeed(Resolver, { resolve: () => Effect.fail(error) })

/** The server's name in `Via`. */
export const pseudonym = "effect-socks-01234567"

/** Addresses from the range set aside for documentation (RFC 5737). */
export const clientAddress = NetAddress.inetAddressFromStringUnsafe("203.0.113.7:50000")
/** The address of the server, from such a range. */
export const serverAddress = NetAddress.inetAddressFromStringUnsafe("198.51.100.1:1080")
/** The address of `target.example`, from such a range. */
export const targetAddress = NetAddress.inetAddressFromStringUnsafe("192.0.2.1:80")
