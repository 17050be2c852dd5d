/**
 * A server in an app.
 */
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as UsersRefresh from "../auth/UsersRefresh.ts"
import { Bans } from "../bans/Bans.ts"
import type { BadSettings, StateFailed } from "../Errors.ts"
import * as SelfSigned from "../network/SelfSigned.ts"
import * as Transports from "../network/Transports.ts"
import { type Refusal, RunningServer } from "../server/RunningServer.ts"
import { Events } from "../session/Events.ts"
import { UsageRecords } from "../usage/UsageRecords.ts"
import { Reload } from "./Reload.ts"
import type { ServerOptions } from "./ServerOptions.ts"
import * as Services from "./Services.ts"
import { Sessions } from "./Sessions.ts"
import { layerOf, placed, Settings } from "./Settings.ts"
import { Steering } from "./Steering.ts"

/** The reasons why a server does not start. Each has a message with the setting, its value and what would be right. */
export type StartError = Refusal | BadSettings | StateFailed

/** What the layer of a server provides. */
export type Provided = Server | Bans | Events | Reload | Sessions | Steering | UsageRecords

/**
 * A SOCKS and HTTP proxy server in an app: its listeners, whether it asks for passwords, and the number of sessions.
 *
 * **When to use**
 *
 * Use `Server.layer(options)` to run a server for as long as the layer lives. Provide a layer of one of its services to
 * replace that service. Each call makes another server.
 *
 * **Example** (A server with a service of the app)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Dialer, Errors, Server } from "effect-socks"
 *
 * const NoNetwork = Layer.succeed(Dialer, { connect: () => Effect.fail(new Errors.NetworkUnreachable()) })
 *
 * const ProxyLive = Server.layer({ listen: "127.0.0.1:0", idleTimeout: "15 minutes" }).pipe(
 *   Layer.provide(NoNetwork)
 * )
 *
 * const program = Effect.gen(function* () {
 *   const { addresses } = yield* Server
 *   yield* Effect.log("the proxy listens", addresses)
 * }).pipe(Effect.provide(ProxyLive))
 * ```
 */
export class Server extends Context.Service<
  Server,
  Pick<
    RunningServer["Service"],
    "listeners" | "addresses" | "asksPassword" | "selfSigned" | "census" | "upstreams"
  >
>()("effect-socks/library/Server") {
  /**
   * A server that runs from the time that the layer is built until its scope closes: then it accepts no more, gives its
   * sessions the time of `drainTimeout`, and resets the rest.
   *
   * **When to use**
   *
   * Call it once for each server, and keep the layer in a constant. A layer of `Authenticator`, `Users`, `Policy`,
   * `Resolver`, `Dialer`, `Binder`, `Relay` or `DatagramRelay` that is provided to it replaces that service. Fails with
   * `StartError`, which says in a sentence what is wrong.
   *
   * **Example** (A server with a password)
   *
   * ```ts
   * import { Layer, Redacted } from "effect"
   * import { Server } from "effect-socks"
   *
   * const ProxyLive = Server.layer({ listen: "127.0.0.1:0", users: Redacted.make("alice:secret") })
   *
   * const main = Layer.launch(ProxyLive)
   * ```
   */
  static readonly layer = (options: ServerOptions | Settings = {}): Layer.Layer<Provided, StartError> =>
    layerFrom(Settings.make(options))

  /**
   * The same, with options that are each a `Config` of Effect.
   *
   * **When to use**
   *
   * Use it where the app reads its settings by `Config`. `Settings.fromEnv` reads the variables of the program, and
   * `Settings.fromFile` its config file.
   *
   * **Example** (A port from the environment)
   *
   * ```ts
   * import { Config } from "effect"
   * import { Server } from "effect-socks"
   *
   * const ProxyLive = Server.layerConfig({
   *   listen: Config.map(Config.Port("PROXY_PORT"), (port) => `127.0.0.1:${port}`),
   *   maxSessions: Config.succeed(100)
   * })
   * ```
   */
  static readonly layerConfig = (
    options: Config.Wrap<ServerOptions>
  ): Layer.Layer<Provided, StartError | Config.ConfigError> => layerFrom(Settings.fromConfig(options))
}

/** The layers that count metrics; empty where the settings do not ask for metrics. */
const meteringOf = (settings: Settings) =>
  settings.values.metrics
    ? Effect.promise(() => import("../server/Metering.ts")).pipe(
        Effect.flatMap(({ make }) => make),
        Effect.map(({ listener, census, decisions, process }) => ({
          listener,
          beside: Layer.mergeAll(census, decisions, process)
        })),
        Effect.provide(layerOf(settings))
      )
    : Effect.succeed({ listener: Layer.empty, beside: Layer.empty })

/** Makes another server at each call: the layer is never shared. */
const layerFrom = <E>(read: Effect.Effect<Settings, E>): Layer.Layer<Provided, E | Refusal | StateFailed> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const settings = yield* read
      const services = yield* Services.make
      const replaced = yield* Services.replaced
      const counters = yield* Services.counters
      const metering = yield* meteringOf(settings)
      const server = Layer.mergeAll(
        Layer.effect(Server, RunningServer),
        Layer.effect(
          Steering,
          Effect.map(RunningServer, (server) => ({ server, replaced }))
        ),
        Sessions.layer,
        Reload.layerOf(services, settings),
        metering.beside
      ).pipe(
        Layer.provideMerge(RunningServer.layerOf(counters, metering.listener)),
        Layer.provide(Layer.provideMerge(services, layerOf(settings))),
        Layer.provide(Layer.succeed(SelfSigned.SelfSigned, SelfSigned.kept())),
        Layer.provide(Layer.succeed(UsersRefresh.UsersRefresh, UsersRefresh.make()))
      )
      // Before the server, so that its connections end first.
      const transports = yield* Layer.build(Layer.provide(Transports.layer(), layerOf(settings)))
      return yield* Effect.mapBoth(Effect.provideContext(Layer.build(Layer.fresh(server)), transports), {
        onSuccess: Context.pick(Server, Bans, Events, Reload, Sessions, Steering, UsageRecords),
        onFailure: placed(settings)
      })
    })
  )
