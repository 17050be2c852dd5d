/**
 * The route of a session. A kind of route is a file in this directory and a line here.
 */
import * as Context from "effect/Context"
import * as Direct from "./Direct.ts"
import type { Route } from "./Route.ts"

/** Every kind of route, by its name. */
export const kinds = {
  direct: Direct.route
} satisfies Readonly<Record<string, Route>>

/** The route that sessions take: without another one, the target is reached directly. */
export const CurrentRoute = Context.Reference<Route>("effect-socks/routes/CurrentRoute", {
  defaultValue: () => kinds.direct
})
