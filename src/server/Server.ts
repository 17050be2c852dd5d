/**
 * The server: listeners, and a fiber for each connection.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberHandle from "effect/FiberHandle"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Authenticator } from "../auth/Authenticator.ts"
import * as AuthLayer from "../auth/AuthLayer.ts"
import { Bans } from "../bans/Bans.ts"
import * as BansFile from "../bans/BansFile.ts"
import * as KnownFile from "../bans/KnownFile.ts"
import * as Hmac from "../base/Hmac.ts"
import * as Inspector from "../base/Inspector.ts"
import { Config } from "../config/Config.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { BadSetting, BadSettings, ListenFailed, OpenProxyRefused, StateFailed } from "../Errors.ts"
import { Bandwidth } from "../limits/Bandwidth.ts"
import { Quotas } from "../limits/Quotas.ts"
import { Binder } from "../network/Binder.ts"
import { Dialer } from "../network/Dialer.ts"
import { Relay } from "../network/Relay.ts"
import { Resolver } from "../network/Resolver.ts"
import { Policy } from "../policy/Policy.ts"
import * as Revalidation from "../session/Revalidation.ts"
import { type Census, Sessions } from "../session/Sessions.ts"
import { DatagramRelay } from "../udp/DatagramRelay.ts"
import * as Awaited from "./Awaited.ts"
import * as Connection from "./Connection.ts"
import * as Generation from "./Generation.ts"
import * as Interfaces from "./Interfaces.ts"
import * as Listeners from "./Listeners.ts"
import * as LoopGuard from "./LoopGuard.ts"
import * as OpenProxyCheck from "./OpenProxyCheck.ts"

/** Why a server does not start, or does not change to other settings. */
export type Refusal = BadSetting | BadSettings | ListenFailed | OpenProxyRefused

/** Those of the file, if there is one, and the users who are known. */
const keptBans = Layer.provideMerge(
  Layer.merge(BansFile.layer, KnownFile.layer),
  Layer.provide(Bans.layer, Hmac.layer)
)

export class Server extends Context.Service<
  Server,
  {
    /** Where it listens, in the order of the configuration: addresses, ports and paths as they turned out. */
    readonly listeners: ReadonlyArray<ListenAddress.ListenAddress>
    /** The addresses of those that listen on TCP. */
    readonly addresses: ReadonlyArray<NetAddress.InetAddress>
    /** Whether a client has to say who it is. */
    readonly asksPassword: boolean
    /** How many sessions there are, and what else tells how busy it is, for the log. */
    readonly census: Effect.Effect<Census>
    /**
     * Goes on with other settings, and the services made from them: at once and
     * as a whole, or on failure not at all. Listeners come and go, and those that
     * stay are not touched. Connections that are there keep the services they came
     * in with, until the last of them has ended and `release` is called; but who may
     * come in and where they may go is asked of the new ones.
     */
    readonly reload: (
      services: Context.Context<Generation.Services>,
      release?: () => void
    ) => Effect.Effect<void, Refusal>
  }
>()("effect-socks/server/Server") {
  /** What `layer` is, without what counts across connections. */
  static readonly counted: Layer.Layer<Server, Refusal, Connection.Services> = Layer.effect(
    Server,
    Effect.suspend(() => make)
  )

  /**
   * A server for as long as the layer lives. On release it stops accepting, gives
   * its sessions the drain timeout to finish, and then resets what is left.
   *
   * Refuses to let others in unasked unless `open` is set, and files for TLS that
   * cannot be used; fails where the system does not let it listen or keep state.
   */
  static readonly layer: Layer.Layer<Server | Bans, Refusal | StateFailed, Generation.Services> =
    Server.counted.pipe(
      Layer.provide([Bandwidth.layer, Sessions.layer]),
      Layer.provide(Quotas.layer),
      Layer.provideMerge(keptBans)
    )

  /** This package's own implementation of every service that a server takes. */
  static readonly services: Layer.Layer<
    Exclude<Generation.Services, Config>,
    BadSetting | BadSettings,
    Config
  > = Layer.mergeAll(
    AuthLayer.layer,
    Layer.provide(Policy.layer, Interfaces.layer),
    Resolver.layer,
    Dialer.layer,
    Binder.layer,
    Relay.layer,
    DatagramRelay.layer
  )

  /**
   * Services with which nobody gets in or anywhere, for a server that gets those of its settings by a reload. What
   * a server begins with it keeps for good; what comes by a reload goes with the next one.
   */
  static readonly closed: Layer.Layer<Exclude<Generation.Services, Config>, never, Config> = Layer.mergeAll(
    Authenticator.denyAll,
    Policy.denyAll,
    Resolver.layer,
    Dialer.layer,
    Binder.layer,
    Relay.layer,
    DatagramRelay.layer
  )

  /** A server of these. */
  static readonly layerDefault: Layer.Layer<Server | Bans, Refusal | StateFailed, Config> = Server.layer.pipe(
    Layer.provide(Server.services)
  )
}

const make = Effect.gen(function* (): Effect.fn.Return<
  Server["Service"],
  Refusal,
  Connection.Services | Scope.Scope
> {
  const first = yield* Effect.context<Connection.Services>()
  const connections = new Set<Fiber.Fiber<void>>()
  const bans = yield* Bans
  let generation = yield* Generation.make(first, () => {})
  yield* Effect.addFinalizer(() => Effect.sync(() => generation.retire()))
  yield* Effect.addFinalizer(() => Fiber.interruptAll(connections))
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      if (connections.size === 0) return
      yield* Effect.logInfo("draining", { connections: connections.size })
      yield* Effect.timeoutOption(Fiber.awaitAll(connections), generation.config.drainTimeout)
    })
  )
  const sessions = yield* Sessions
  const doors = yield* Listeners.make(sessions.turnedAway)

  let revision = 0
  let listeners: ReadonlyArray<ListenAddress.ListenAddress> = []
  let addresses: ReadonlyArray<NetAddress.InetAddress> = []

  // Never those of a generation that is past.
  const asked = () => Context.get(generation.services, Authenticator)
  const authenticator: Authenticator["Service"] = {
    get methods() {
      return asked().methods
    },
    verify: (credentials, from) => asked().verify(credentials, from),
    recognize: (name, from) => asked().recognize?.(name, from) ?? Effect.undefined
  }
  const policy: Policy["Service"] = {
    judge: (access, address) => Context.get(generation.services, Policy).judge(access, address),
    revision: () => revision
  }

  /** Where no client gets. */
  const closed = () => {
    const inspectors = Inspector.addresses()
    return inspectors.length === 0 ? addresses : [...addresses, ...inspectors]
  }

  /** How connections that come in by this door are served. */
  const handlerFor = (next: Generation.Generation) =>
    Effect.fnUntraced(function* (
      door: Listeners.Endpoint
    ): Effect.fn.Return<Listeners.Serve, OpenProxyRefused> {
      // Again, now that what systemd passed is known; nobody was let in yet.
      yield* Effect.provide(
        Effect.forEach(listenersOf(door), (at) =>
          OpenProxyCheck.check(ListenAddress.endpointOf(at), OpenProxyCheck.currentMode)
        ),
        next.services
      )
      // What a listener has of its own, put together once and not for each connection.
      const config = { ...next.config, ...ListenAddress.optionsOf(door.at) }
      const services = Context.merge(first, next.services).pipe(
        Context.add(Config, config),
        Context.add(
          Dialer,
          LoopGuard.dialer(Context.get(next.services, Dialer), closed, next.config.allowTarget)
        ),
        Context.add(Bans, bans),
        Context.add(Authenticator, bans.guard(authenticator, config)),
        Context.add(Policy, LoopGuard.policy(policy, closed, next.config.allowTarget))
      )
      const fork = Effect.runForkWith(services)
      const secure = ListenAddress.endpointOf(door.at)._tag === "Tls" ? next.secure : undefined
      return (socket, peer) => {
        next.begin()
        const fiber = fork(Connection.handle(socket, peer, secure))
        connections.add(fiber)
        fiber.addObserver(() => {
          connections.delete(fiber)
          next.leave()
        })
      }
    })

  const endDenied = Effect.gen(function* () {
    if (!generation.config.endDenied) return
    const deciders = { config: generation.config, authenticator: asked(), policy }
    for (const session of yield* sessions.list) {
      if (!(yield* Revalidation.review(session, deciders))) yield* sessions.end(session, "denied")
    }
    // Datagrams of the others are those of someone else now.
    revision++
  })

  const watching = yield* FiberHandle.make()
  const reload = Effect.fnUntraced(function* (next: Generation.Generation) {
    const past = generation
    yield* doors.reconcile(next.config, handlerFor(next), (open) => {
      generation = next
      revision++
      listeners = open.flatMap(listenersOf)
      addresses = addressesOf(listeners)
    })
    yield* FiberHandle.run(
      watching,
      Stream.runForEach(asked().changes ?? Stream.empty, () => endDenied)
    )
    if (past === next) return
    past.retire()
    yield* endDenied
  }, Effect.uninterruptible)

  yield* Awaited.all(generation.config.listen)
  yield* reload(generation)
  return {
    get listeners() {
      return listeners
    },
    get addresses() {
      return addresses
    },
    get asksPassword() {
      return generation.asksPassword
    },
    census: Effect.suspend(() => Effect.provideService(sessions.census, Config, generation.config)),
    reload: (services, release = () => {}) => Effect.flatMap(Generation.make(services, release), reload)
  }
})

/** A door as what it turned out to be. */
const listenersOf = ({ at, bound }: Listeners.Endpoint): ReadonlyArray<ListenAddress.ListenAddress> => {
  const isTls = ListenAddress.endpointOf(at)._tag === "Tls"
  const opened = isTls ? bound.map(ListenAddress.tls) : bound
  return at._tag === "WithOptions" ? opened.map((it) => ListenAddress.withOptions(it, at.options)) : opened
}

/** The addresses of those of them that listen on TCP. */
export const addressesOf = (
  listeners: ReadonlyArray<ListenAddress.ListenAddress>
): ReadonlyArray<NetAddress.InetAddress> =>
  listeners.map(ListenAddress.endpointOf).map(ListenAddress.placeOf).flatMap(inetOf)

const inetOf = (place: ListenAddress.Place): ReadonlyArray<NetAddress.InetAddress> =>
  place._tag === "HostPort" && NetAddress.isIpAddress(place.host)
    ? [NetAddress.inetAddressUnsafe(place.host, place.port)]
    : []
