/**
 * The name servers of routes: each route with some has a resolver of its own, with a cache of its own.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { BadSetting } from "../Errors.ts"
import { NameSettings } from "../network/NameSettings.ts"
import { Resolver } from "../network/Resolver.ts"
import { RouteResolvers } from "../network/RouteResolvers.ts"
import type { NetworkSettings } from "../network/Settings.ts"
import { RouteSettings } from "./Settings.ts"

/** The resolvers of the routes of the settings. */
export const layer: Layer.Layer<never, never, NameSettings | NetworkSettings | RouteSettings> = Layer.effect(
  RouteResolvers,
  Effect.gen(function* () {
    const { routes } = yield* RouteSettings
    const names = yield* NameSettings
    const made = new Map<string, Resolver["Service"]>()
    for (const { name, dns, prefer = names.prefer } of routes) {
      if (dns.length > 0) made.set(name, yield* Resolver.make({ ...names, dns, prefer }))
    }
    return (route) => (route === undefined ? undefined : made.get(route))
  })
)

/** Beside a resolver in place of this package's own: fails for a route with name servers. */
export const layerOfOwn: Layer.Layer<never, BadSetting, RouteSettings> = Layer.effectDiscard(
  Effect.gen(function* () {
    const { routes } = yield* RouteSettings
    const index = routes.findIndex(({ dns }) => dns.length > 0)
    if (index === -1) return
    const expected = "possible beside a Resolver of your own, which says alone what names lead to"
    return yield* new BadSetting({
      setting: "--routes",
      path: [index, "dns"],
      value: "what was given",
      expected
    })
  })
)
