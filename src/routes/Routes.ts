/**
 * The kinds of routes, and the route in use.
 */
import * as Context from "effect/Context"
import * as Direct from "./Direct.ts"
import type { Route } from "./Route.ts"

/** Every kind of route, by its name. */
export const kinds = {
  direct: Direct.route
} satisfies Readonly<Record<string, Route>>

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
  defaultValue: () => kinds.direct
})
