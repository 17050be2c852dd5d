/**
 * The resolvers of routes that ask name servers of their own.
 */
import * as Context from "effect/Context"
import type { Resolver } from "./Resolver.ts"

/**
 * The resolver of the route of this name; undefined for the one that all others have. By default no route has one of its
 * own.
 */
export const RouteResolvers = Context.Reference<
  (route: string | undefined) => Resolver["Service"] | undefined
>("effect-socks/network/RouteResolvers", { defaultValue: () => () => undefined })
