/**
 * Serves connections that an app has accepted itself, for example with Effect's `SocketServer`.
 *
 * **When to use**
 *
 * Use it if the app has the listener. `Connection.layer(options)` has all services that serving needs. Its `listen` is
 * the address on which the app listens: open proxies and private targets are decided by it. `Server` has its own listeners.
 *
 * **Example** (Serving a socket)
 *
 * ```ts
 * import { Socket } from "node:net"
 * import { Effect } from "effect"
 * import { Connection } from "effect-socks"
 *
 * const serve = (socket: Socket) =>
 *   Connection.handleSocket(socket).pipe(Effect.provide(Connection.layer({ listen: "127.0.0.1:1080" })))
 * ```
 */
import type { Socket } from "node:net"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Authenticator } from "../auth/Authenticator.ts"
import { AuthSettings } from "../auth/Settings.ts"
import { Bans } from "../bans/Bans.ts"
import { BanSettings } from "../bans/Settings.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import { CurrentListener } from "../network/CurrentListener.ts"
import { Dialer } from "../network/Dialer.ts"
import { fromNode } from "../network/NodeAddress.ts"
import * as NodeTransport from "../network/NodeTransport.ts"
import { Policy } from "../policy/Policy.ts"
import * as Composition from "../server/Composition.ts"
import * as Connection from "../server/Connection.ts"
import { addressesOf } from "../server/CurrentGeneration.ts"
import * as LoopGuard from "../server/LoopGuard.ts"
import * as OpenProxyCheck from "../server/OpenProxyCheck.ts"
import type { StartError } from "./Server.ts"
import type { ServerOptions } from "./ServerOptions.ts"
import * as Services from "./Services.ts"
import { layerOf, placed, Settings } from "./Settings.ts"

export { handle, type Services } from "../server/Connection.ts"

/** Serves a TCP connection until both sides have ended it. A paused socket is resumed. */
export const handleSocket = (socket: Socket): Effect.Effect<void, never, Connection.Services> =>
  Effect.suspend(() => {
    const { remoteAddress, remotePort, localAddress, localPort } = socket
    const transport = NodeTransport.make(socket)
    if (remoteAddress === undefined || localAddress === undefined) {
      return Effect.sync(() => transport.close())
    }
    return Connection.handle(transport, {
      remote: fromNode(remoteAddress, remotePort!),
      local: fromNode(localAddress, localPort!)
    })
  })

/**
 * All services that serving needs, with their own limits, bans and sessions. `listen` is the address on which the app
 * listens; the layer opens no listener.
 */
export const layer = (options: ServerOptions | Settings = {}): Layer.Layer<Connection.Services, StartError> =>
  Layer.effectContext(
    Effect.gen(function* () {
      // Without `listen`, anyone may be able to connect.
      const settings = yield* Settings.make(
        options instanceof Settings ? options : { listen: "0.0.0.0:0", ...options }
      )
      const { listen, unixMode, allowTarget } = settings.values
      const parts = Layer.mergeAll(
        yield* Services.make,
        Composition.counted(yield* Services.counters),
        CurrentListener.layer
      )
      return yield* Effect.gen(function* () {
        const built = yield* Layer.build(Layer.fresh(Layer.provideMerge(parts, layerOf(settings))))
        yield* Effect.provide(
          Effect.forEach(listen, (at) => OpenProxyCheck.check(ListenAddress.endpointOf(at), () => unixMode)),
          built
        )
        const own = addressesOf(listen)
        const guarding = { ...Context.get(built, BanSettings), trust: Context.get(built, AuthSettings).trust }
        return built.pipe(
          Context.add(
            Authenticator,
            Context.get(built, Bans).guard(Context.get(built, Authenticator), guarding)
          ),
          Context.add(
            Dialer,
            LoopGuard.dialer(Context.get(built, Dialer), () => own, allowTarget)
          ),
          Context.add(
            Policy,
            LoopGuard.policy(Context.get(built, Policy), () => own, allowTarget)
          )
        )
      }).pipe(Effect.mapError(placed(settings)))
    })
  )
