/**
 * The server: listeners, and a fiber for each connection.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { Config } from "../config/Config.ts"
import { type ListenFailed, OpenProxyRefused } from "../Errors.ts"
import { Binder } from "../network/Binder.ts"
import { DatagramRelay } from "../network/DatagramRelay.ts"
import { Dialer } from "../network/Dialer.ts"
import { Relay } from "../network/Relay.ts"
import { Resolver } from "../network/Resolver.ts"
import { Authenticator } from "../policy/Authenticator.ts"
import { Method } from "../wire/Socks5.ts"
import * as Connection from "./Connection.ts"
import * as Listener from "./Listener.ts"
import { Sessions } from "./Sessions.ts"

export class Server extends Context.Service<
  Server,
  {
    /** Where it listens, in the order of the configuration. */
    readonly addresses: ReadonlyArray<NetAddress.InetAddress>
    /** Whether a client has to say who it is. */
    readonly asksPassword: boolean
  }
>()("effect-socks/server/Server") {
  /**
   * A server for as long as the layer lives. On release it stops accepting, gives
   * its sessions the drain timeout to finish, and then resets what is left.
   *
   * Refuses to let others in unasked unless `open` is set; fails where the system
   * does not let it listen.
   */
  static readonly layer: Layer.Layer<
    Server,
    ListenFailed | OpenProxyRefused,
    Exclude<Connection.Services, Sessions>
  > = Layer.effect(
    Server,
    Effect.suspend(() => make)
  ).pipe(Layer.provide(Sessions.layer))

  /** The same, with this package's own implementation of every service. */
  static readonly layerDefault: Layer.Layer<Server, ListenFailed | OpenProxyRefused, Config> =
    Server.layer.pipe(
      Layer.provide([
        Authenticator.layer,
        Resolver.layer,
        Dialer.layer,
        Binder.layer,
        Relay.layer,
        DatagramRelay.layer
      ])
    )
}

const make = Effect.gen(function* (): Effect.fn.Return<
  Server["Service"],
  ListenFailed | OpenProxyRefused,
  Connection.Services | Scope.Scope
> {
  const { listen, open, drainTimeout } = yield* Config
  const { methods } = yield* Authenticator
  const asksPassword = !methods.includes(Method.NoAuthentication)
  const exposed = listen.find(({ host }) => !isLoopback(host))
  if (exposed && !asksPassword && !open) {
    return yield* new OpenProxyRefused({ address: Host.formatHostPort(exposed) })
  }

  const connections = yield* FiberSet.make()
  const fork = yield* FiberSet.runtime(connections)<Connection.Services>()
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      const left = yield* FiberSet.size(connections)
      if (left === 0) return
      yield* Effect.logInfo("draining", { connections: left })
      yield* Effect.timeoutOption(FiberSet.awaitEmpty(connections), drainTimeout)
    })
  )

  const addresses = yield* Effect.forEach(listen, (at) =>
    Listener.listen(at, (socket, peer) => {
      fork(Connection.handle(socket, peer))
    })
  )
  return { addresses, asksPassword }
})

/** Only this machine reaches it. A name could mean anything, except this one. */
const isLoopback = (host: Host.Host): boolean =>
  NetAddress.isIpAddress(host) ? NetAddress.isLoopback(NetAddress.toCanonical(host)) : host === "localhost"
