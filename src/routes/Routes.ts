/**
 * The route in use.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { BadSetting } from "../Errors.ts"
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

/** The route of the settings. What it needs is loaded only if the settings have an upstream. */
export const layer: Layer.Layer<never, BadSetting, RouteSettings> = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* RouteSettings
    if (settings.upstream.length === 0) return Layer.empty
    const { make } = yield* Effect.promise(() => import("./RouteTable.ts"))
    return Layer.effect(CurrentRoute, make(settings))
  })
)
