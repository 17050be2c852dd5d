/**
 * The route in use.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { AuthSettings } from "../auth/Settings.ts"
import { having } from "../config/RuleTable.ts"
import type { BadSetting, BadSettings } from "../Errors.ts"
import type { Dialer } from "../network/Dialer.ts"
import type { Resolver } from "../network/Resolver.ts"
import type { NetworkSettings } from "../network/Settings.ts"
import { CurrentSource } from "../network/Source.ts"
import { PolicySettings } from "../policy/Settings.ts"
import * as Direct from "./Direct.ts"
import type { Route } from "./Route.ts"
import { RouteSettings } from "./Settings.ts"

/**
 * The route by which the judged addresses of a target are reached. By default the direct route.
 *
 * **When to use**
 *
 * Provide a route to a server to reach targets through another proxy, or through several proxies.
 *
 * **Example** (A span for each connection)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { CurrentRoute, Server } from "effect-socks"
 *
 * const Traced = Layer.effect(
 *   CurrentRoute,
 *   Effect.map(CurrentRoute, (route) => ({
 *     ...route,
 *     connect: (...target: Parameters<typeof route.connect>) =>
 *       Effect.withSpan(route.connect(...target), "connect")
 *   }))
 * )
 *
 * const ProxyLive = Server.layer().pipe(Layer.provide(Traced))
 * ```
 */
export const CurrentRoute = Context.Reference<Route>("effect-socks/routes/CurrentRoute", {
  defaultValue: () => Direct.route
})

/** The services that routes through upstreams use. */
type Services = AuthSettings | Dialer | NetworkSettings | PolicySettings | Resolver | RouteSettings

/** The route of the settings. What it needs is loaded only if the settings have an upstream or a route. */
export const layer: Layer.Layer<never, BadSettings, Services> = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* all
    if (!isNeeded(settings)) return Layer.empty
    return Layer.effect(CurrentRoute, (yield* load).make(settings))
  })
)

/** A route that leaves from the addresses of the setting `egress`, if there are some. */
export const withEgress = <E, R>(
  route: Layer.Layer<never, E, R>
): Layer.Layer<never, E | BadSetting, R | RouteSettings> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const settings = yield* RouteSettings
      const egress = yield* egressOf(settings)
      if (egress === undefined) return route
      const { around } = yield* loadEgress
      return Layer.effect(
        CurrentRoute,
        Effect.map(CurrentRoute, (inner) => around(inner, egress))
      ).pipe(Layer.provide(Layer.provide(route, Layer.succeed(CurrentSource, egress.common))))
    })
  )

/** The pools of the settings by the names of their routes, which are not used yet. Fails with all mistakes in the routes. */
export const pools = Effect.gen(function* () {
  const settings = yield* all
  yield* egressOf(settings)
  return isNeeded(settings) ? yield* (yield* load).pools(settings) : new Map<string, never>()
})

/** A text for the route of each judged address; undefined where all targets are reached directly. */
export const describe = Effect.gen(function* () {
  const settings = yield* all
  return isNeeded(settings) ? yield* (yield* load).describe(settings) : undefined
})

/** The settings of routes, and of what routes go by. */
const all = Effect.gen(function* () {
  const { rules } = yield* PolicySettings
  const { userParameters } = yield* AuthSettings
  return { ...(yield* RouteSettings), rules, userParameters }
})

const loadEgress = Effect.promise(() => import("./Egress.ts"))

/** The egress of the settings; undefined if the system chooses. */
const egressOf = Effect.fnUntraced(function* (settings: RouteSettings["Service"]) {
  return settings.egress.length === 0 ? undefined : yield* (yield* loadEgress).make(settings.egress, settings)
})

const load = Effect.promise(() => import("./RouteTable.ts"))

/** Whether the settings have a way to targets other than the direct one. */
export const isNeeded = ({
  upstream,
  routes,
  rules
}: RouteSettings["Service"] & Pick<PolicySettings["Service"], "rules">): boolean =>
  upstream.length > 0 || routes.length > 0 || having(rules, "route").next().done !== true
