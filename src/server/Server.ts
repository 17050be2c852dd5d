/**
 * The server: listeners, and a fiber for each connection.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { Config } from "../config/Config.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { BadSetting, ListenFailed, OpenProxyRefused } from "../Errors.ts"
import { Binder } from "../network/Binder.ts"
import { DatagramRelay } from "../network/DatagramRelay.ts"
import { Dialer } from "../network/Dialer.ts"
import { Relay } from "../network/Relay.ts"
import { Resolver } from "../network/Resolver.ts"
import { Authenticator } from "../policy/Authenticator.ts"
import { Policy } from "../policy/Policy.ts"
import * as Connection from "./Connection.ts"
import * as Exposure from "./Exposure.ts"
import * as Listener from "./Listener.ts"
import * as SelfGuard from "./SelfGuard.ts"
import { Sessions } from "./Sessions.ts"
import * as TlsFiles from "./TlsFiles.ts"

export class Server extends Context.Service<
  Server,
  {
    /** Where it listens, in the order of the configuration: addresses, ports and paths as they turned out. */
    readonly listeners: ReadonlyArray<ListenAddress.ListenAddress>
    /** The addresses of those that listen on TCP. */
    readonly addresses: ReadonlyArray<NetAddress.InetAddress>
    /** Whether a client has to say who it is. */
    readonly asksPassword: boolean
  }
>()("effect-socks/server/Server") {
  /**
   * A server for as long as the layer lives. On release it stops accepting, gives
   * its sessions the drain timeout to finish, and then resets what is left.
   *
   * Refuses to let others in unasked unless `open` is set, and files for TLS that
   * cannot be used; fails where the system does not let it listen.
   */
  static readonly layer: Layer.Layer<
    Server,
    BadSetting | ListenFailed | OpenProxyRefused,
    Exclude<Connection.Services, Sessions>
  > = Layer.effect(
    Server,
    Effect.suspend(() => make)
  ).pipe(Layer.provide(Sessions.layer))

  /** The same, with this package's own implementation of every service. */
  static readonly layerDefault: Layer.Layer<Server, BadSetting | ListenFailed | OpenProxyRefused, Config> =
    Server.layer.pipe(
      Layer.provide([
        Authenticator.layer,
        Policy.layer,
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
  BadSetting | ListenFailed | OpenProxyRefused,
  Connection.Services | Scope.Scope
> {
  const config = yield* Config
  const { listen, unixMode, drainTimeout } = config
  const secure = yield* TlsFiles.load
  yield* Effect.forEach(listen, (at) => Exposure.check(ListenAddress.doorOf(at), () => unixMode))

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

  const own: Array<NetAddress.InetAddress> = []
  const guarded = SelfGuard.dialer(yield* Dialer, () => own)
  const listeners = yield* Effect.forEach(
    listen,
    Effect.fnUntraced(function* (at) {
      const door = ListenAddress.doorOf(at)
      const isTls = door._tag === "Tls"
      // What a listener has of its own, put together once and not for each connection.
      const services = Context.make(Config, { ...config, ...ListenAddress.settingsOf(at) }).pipe(
        Context.add(Dialer, guarded)
      )
      const places = yield* Listener.listen(ListenAddress.placeOf(door), {
        unixMode,
        onConnection: (socket, peer) =>
          fork(Effect.provideContext(Connection.handle(socket, peer, isTls ? secure : undefined), services))
      })
      const opened = isTls ? places.map(ListenAddress.tls) : places
      // Again, now that what systemd passed is known; nobody was let in yet.
      yield* Effect.forEach(opened, (it) => Exposure.check(it, Exposure.currentMode))
      return at._tag === "Particular" ? opened.map((it) => ListenAddress.particular(it, at.settings)) : opened
    })
  )
  const bound = listeners.flat()
  own.push(...bound.map(ListenAddress.doorOf).map(ListenAddress.placeOf).flatMap(inetOf))
  return {
    listeners: bound,
    addresses: own,
    asksPassword: yield* Exposure.asksPassword
  }
})

const inetOf = (place: ListenAddress.Place): ReadonlyArray<NetAddress.InetAddress> =>
  place._tag === "HostPort" && NetAddress.isIpAddress(place.host)
    ? [NetAddress.inetAddressUnsafe(place.host, place.port)]
    : []
