/**
 * The route in use.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import { AuthSettings } from "../auth/Settings.ts"
import * as UserParameters from "../auth/UserParameters.ts"
import { having, routesOf } from "../config/RuleTable.ts"
import { BadSetting, BadSettings } from "../Errors.ts"
import type { Dialer } from "../network/Dialer.ts"
import type { Resolver } from "../network/Resolver.ts"
import type { NetworkSettings } from "../network/Settings.ts"
import { CurrentSource } from "../network/Source.ts"
import type { Permitted } from "../policy/Authorize.ts"
import { PolicySettings } from "../policy/Settings.ts"
import { printable } from "../wire/Text.ts"
import * as Direct from "./Direct.ts"
import { CurrentMemberStates } from "./MemberStates.ts"
import type { JudgedTarget, Route } from "./Route.ts"
import * as SessionKey from "./SessionKey.ts"
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
  defaultValue: () => Direct.only
})

/** The services that routes through upstreams use. */
type Services = AuthSettings | Dialer | NetworkSettings | PolicySettings | Resolver | RouteSettings

/** The route of the settings. What it needs is loaded only if the settings have an upstream or a route. */
export const layer: Layer.Layer<never, BadSettings, Services> = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* all
    const states = yield* CurrentMemberStates
    const isInForce = states === undefined ? () => true : yield* states.begin
    if (!isNeeded(settings)) return Layer.empty
    return Layer.effect(CurrentRoute, (yield* load).make(settings, isInForce))
  })
)

/**
 * The route of an app. Fails if the settings have a way to targets, too: the route of the app would be taken in its place,
 * and lead to targets that should not be reached so.
 */
export const layerOfOwn = (
  route: Route
): Layer.Layer<never, BadSetting | BadSettings, AuthSettings | PolicySettings | RouteSettings> =>
  Layer.effect(
    CurrentRoute,
    Effect.gen(function* () {
      const { upstream, routes, rules } = yield* all
      const [named] = having(rules, "route")
      const expected = "used by a server whose app provides CurrentRoute"
      if (upstream.length > 0)
        return yield* new BadSetting({ setting: "--upstream", value: "an upstream", expected })
      if (routes.length > 0)
        return yield* new BadSetting({ setting: "--routes", path: [0], value: "a route", expected })
      if (named !== undefined) {
        const [index, { route: name }] = named
        const value = `"${printable(String(name))}"`
        return yield* new BadSetting({ setting: "--rules", path: [index, "route"], value, expected })
      }
      return route
    })
  )

/** A route that leaves from the addresses of the setting `egress`, if there are some. */
export const withEgress = <E, R>(
  route: Layer.Layer<never, E, R>
): Layer.Layer<never, E | BadSetting | BadSettings, R | AuthSettings | PolicySettings | RouteSettings> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const egress = yield* egressOf(yield* all)
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

/**
 * Sentences about the route of a judged address at a time in milliseconds since the epoch, and about the address from which
 * it leaves; none where all targets are reached directly from any address.
 */
export const describe = Effect.gen(function* () {
  const settings = yield* all
  const routeOf = isNeeded(settings) ? yield* (yield* load).describe(settings) : undefined
  const common = yield* egressOf(settings)
  return (access: JudgedTarget["access"], permitted: Permitted, now: number): ReadonlyArray<string> => {
    const found = routeOf?.(access, permitted, now)
    const { route, egress = common, isDirect = true } = found ?? {}
    const lines = route === undefined ? [] : [`Route: ${route}`]
    if (egress === undefined) return lines
    const source = egress.of(access, now)
    const isIpv4 = NetAddress.isIpv4Address(permitted.address)
    // The family of an upstream may be another one than that of the target.
    const address = source.of(isIpv4) ?? (isDirect ? undefined : source.of(!isIpv4))
    return [...lines, `Leaves from: ${address ? NetAddress.formatIp(address) : "no address of its family"}`]
  }
})

/** The settings of routes, and of what routes go by. Fails for parameters that cannot be declared, or are not declared. */
const all = Effect.gen(function* () {
  const { rules } = yield* PolicySettings
  const { userParameters } = yield* AuthSettings
  const settings = { ...(yield* RouteSettings), rules, userParameters }
  const wrong = parametersOf(settings)
  if (wrong !== undefined) return yield* new BadSettings({ errors: [wrong] })
  return settings
})

type All = RouteSettings["Service"] & Pick<AuthSettings["Service"], "userParameters">

const parametersOf = ({ userParameters, egressBy }: All): BadSetting | undefined => {
  const wrong = UserParameters.conflict(userParameters)
  if (wrong !== undefined) return new BadSetting({ setting: "--user-parameters", ...wrong })
  const common = SessionKey.commonIn(userParameters)
  if (common.includes(egressBy)) return undefined
  const expected = `one of ${common.join(", ")}: --user-parameters declares more`
  return new BadSetting({ setting: "--egress-by", value: `"${egressBy}"`, expected })
}

const loadEgress = Effect.promise(() => import("./Egress.ts"))

/** The egress of the settings; undefined if the system chooses. */
const egressOf = Effect.fnUntraced(function* (settings: All) {
  if (settings.egress.length === 0) return undefined
  const ttl = SessionKey.ttlIn(settings.userParameters)
  return yield* (yield* loadEgress).make(settings.egress, { ...settings, ttl })
})

const load = Effect.promise(() => import("./RouteTable.ts"))

/** Whether the settings have a way to targets other than the direct one. */
export const isNeeded = ({
  upstream,
  routes,
  rules
}: RouteSettings["Service"] & Pick<PolicySettings["Service"], "rules">): boolean =>
  upstream.length > 0 || routes.length > 0 || routesOf(rules).size > 0
