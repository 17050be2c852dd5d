/**
 * The handlers of endpoints. A handler serves each connection in a fiber of its own, with the services of the
 * generation in which the connection was accepted.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { Authenticator } from "../auth/Authenticator.ts"
import * as ParameterLogin from "../auth/ParameterLogin.ts"
import { AuthSettings } from "../auth/Settings.ts"
import { Bans } from "../bans/Bans.ts"
import { BanSettings } from "../bans/Settings.ts"
import * as InspectorAddresses from "../base/InspectorAddresses.ts"
import { LiveSet } from "../base/LiveSet.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { OpenProxyRefused } from "../Errors.ts"
import type { Bandwidth } from "../limits/Bandwidth.ts"
import { CurrentListener, at as listenerAt } from "../network/CurrentListener.ts"
import { Dialer } from "../network/Dialer.ts"
import type { Pseudonym } from "../network/Pseudonym.ts"
import { RouteResolvers } from "../network/RouteResolvers.ts"
import { Policy } from "../policy/Policy.ts"
import { PolicySettings } from "../policy/Settings.ts"
import { CurrentRoute } from "../routes/Routes.ts"
import type { SessionRegistry } from "../session/SessionRegistry.ts"
import * as SessionSpan from "../session/SessionSpan.ts"
import * as Connection from "./Connection.ts"
import * as CurrentGeneration from "./CurrentGeneration.ts"
import { Drain, DrainBegun } from "./Drain.ts"
import type * as Generation from "./Generation.ts"
import type * as Listeners from "./Listeners.ts"
import * as LoopGuard from "./LoopGuard.ts"
import * as OpenProxyCheck from "./OpenProxyCheck.ts"

/** Makes the handler of an endpoint in a generation. Fails if the endpoint would be an open proxy. */
type HandlerFor = (
  generation: Generation.Generation
) => (endpoint: Listeners.Endpoint) => Effect.Effect<Listeners.Serve, OpenProxyRefused>

/** The services that all listeners share. */
export type Services = Generation.Services | Bandwidth | Bans | Pseudonym | SessionRegistry

/**
 * When the scope closes, open connections get the drain timeout to finish. Then the remaining connections are reset.
 */
export const make = Effect.fnUntraced(function* (
  current: CurrentGeneration.CurrentGeneration
): Effect.fn.Return<HandlerFor, never, Services | Scope.Scope> {
  const shared = yield* Effect.context<Services>()
  const bans = Context.get(shared, Bans)
  const drain = new Drain()
  const connections = yield* makeConnections(current, drain)

  /** The addresses that no client may reach: those of this server, and of the inspector of its process. */
  const closed = () => {
    const inspectors = InspectorAddresses.addresses()
    return inspectors.length === 0 ? current.addresses() : [...current.addresses(), ...inspectors]
  }

  const servicesOf = (generation: Generation.Generation, { at }: Listeners.Endpoint) => {
    const { allowTarget } = Context.get(generation.services, PolicySettings)
    const { trust, userParameters } = Context.get(generation.services, AuthSettings)
    const guarding = { ...Context.get(generation.services, BanSettings), trust }
    const dialer = Context.get(generation.services, Dialer)
    return Context.merge(shared, generation.services).pipe(
      Context.add(CurrentListener, listenerAt(at, generation.listen)),
      Context.add(Dialer, LoopGuard.dialer(dialer, closed, allowTarget)),
      Context.add(Bans, bans),
      Context.add(
        Authenticator,
        ParameterLogin.around(userParameters, bans.guard(current.authenticator, guarding))
      ),
      Context.add(Policy, LoopGuard.policy(current.policy, closed, allowTarget)),
      Context.add(CurrentRoute, current.route),
      Context.add(RouteResolvers, current.routeResolvers),
      Context.add(DrainBegun, drain.begun),
      // The span in which the server was built is no parent of what its clients do.
      Context.omit(Tracer.ParentSpan),
      SessionSpan.untraced
    )
  }

  return (generation) =>
    Effect.fnUntraced(function* (
      endpoint: Listeners.Endpoint
    ): Effect.fn.Return<Listeners.Serve, OpenProxyRefused> {
      // Checked again, because now the sockets that systemd passed are known. No connection was accepted yet.
      yield* Effect.provide(
        Effect.forEach(CurrentGeneration.listenersOf(endpoint), (at) =>
          OpenProxyCheck.check(ListenAddress.endpointOf(at), OpenProxyCheck.currentMode)
        ),
        generation.services
      )
      // The context is made once for each endpoint, and not for each connection.
      const fork = Effect.runForkWith(servicesOf(generation, endpoint))
      const secure = ListenAddress.endpointOf(endpoint.at)._tag === "Tls" ? generation.secure : undefined
      return (transport, peer) => {
        generation.begin()
        const fiber = fork(Connection.handle(transport, peer, secure))
        const place = connections.add(fiber)
        fiber.addObserver(() => {
          connections.delete(fiber, place)
          generation.leave()
        })
      }
    })
})

/** The fibers of all connections. They are drained when the scope closes. */
const makeConnections = Effect.fnUntraced(function* (
  { generation }: CurrentGeneration.CurrentGeneration,
  drain: Drain
): Effect.fn.Return<LiveSet<Fiber.Fiber<void>>, never, Scope.Scope> {
  const connections = new LiveSet<Fiber.Fiber<void>>()
  yield* Effect.addFinalizer(() => Fiber.interruptAll(connections))
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      if (connections.size === 0) return
      yield* Effect.logInfo("draining", { connections: connections.size })
      drain.begin()
      yield* Effect.timeoutOption(Fiber.awaitAll(connections), generation().server.drainTimeout)
    })
  )
  return connections
})
