/**
 * The route of a server whose settings have routes: takes each judged address by the route of its decision.
 */

import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as TargetPattern from "../config/TargetPattern.ts"
import { RouteUnable } from "../Errors.ts"
import type { Outgoing } from "../network/Dialer.ts"
import type { Permitted } from "../policy/Authorize.ts"
import type { Target } from "../wire/Target.ts"
import * as Direct from "./Direct.ts"
import * as NoProxy from "./NoProxy.ts"
import type { Connected, Incoming, JudgedTarget, Route } from "./Route.ts"

export interface Options extends Pick<Route, "upstreams"> {
  /** Whether one of the routes that can be taken carries datagrams. */
  readonly carriesDatagrams: boolean
  /** Whether rules name routes, so that the route of a sender is known only when the sender has connected. */
  readonly isByRule: boolean
  /** The routes by their names, with `direct`. */
  readonly routes: ReadonlyMap<string, Route>
  /** The route of a rule that names none. */
  readonly fallback: string
  /** The targets that go directly in spite of the fallback. */
  readonly noProxy: ReadonlyArray<TargetPattern.TargetPattern>
}

/** What decides about the route of a judged address that its rule names none for. */
export type Defaults = Pick<Options, "fallback" | "noProxy">

/** A route, and the addresses of a target that it leads to. */
interface ByRoute<Entered, R> {
  readonly name: string
  readonly route: Route
  readonly to: JudgedTarget<Entered, R>
}

/** The name of the route to a judged address of a target. */
export const nameFor = (
  { fallback, noProxy }: Defaults,
  target: Target,
  { address, decision }: Permitted
): string => {
  if (decision.route !== undefined) return decision.route
  return NoProxy.includes(noProxy, target, address) ? "direct" : fallback
}

export const make = ({ routes, carriesDatagrams, isByRule, upstreams, ...defaults }: Options): Route => {
  const routeOf = (name: string) => routes.get(name) ?? unknown(name)

  /** The addresses of each route, in the order of the addresses. */
  const byRoute = <Entered, R>(to: JudgedTarget<Entered, R>): ReadonlyArray<ByRoute<Entered, R>> => {
    const nameOf = (permitted: Permitted) => nameFor(defaults, to.access.target, permitted)
    const { late } = to.permitted
    return [...new Set(to.permitted.map(nameOf))].map((name) => {
      const alike = (all: ReadonlyArray<Permitted>) => all.filter((each) => nameOf(each) === name)
      const group = alike(to.permitted) as [Permitted, ...Array<Permitted>]
      const permitted = late === undefined ? group : Object.assign(group, { late: Effect.map(late, alike) })
      return { name, route: routeOf(name), to: { ...to, permitted } }
    })
  }

  /** Tries the routes to a target one after the other. Fails as the first one. */
  const inTurn = <Entered, S, A, E, R>(
    to: JudgedTarget<Entered, S>,
    attempt: (each: ByRoute<Entered, S>) => Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R> => {
    const { log } = to
    const [first, ...others] = byRoute(to).map((each) =>
      Effect.suspend(() => {
        if (log) log.way = { route: each.name }
        return attempt(each)
      })
    )
    if (others.length === 0) return first!
    return Effect.catch(first!, (error) => {
      const way = log?.way
      const failed = Effect.suspend(() => {
        if (log) log.way = way
        return Effect.fail(error)
      })
      return Effect.firstSuccessOf([...others, failed])
    })
  }

  return {
    upstreams,
    carriesDatagrams,
    connect: (to) => inTurn(to, ({ name, route, to }) => connected(name, route.connect(to))),
    forward: (to) =>
      inTurn(to, ({ name, route, to }) => connected(name, (route.forward ?? route.connect)(to))),
    listen: (to, local) => {
      if (!NetAddress.isIpAddress(to)) {
        return inTurn(to, ({ name, route, to }) => awaited(name, route.listen(to, local)))
      }
      if (isByRule) return unableForAnyone
      return awaited(defaults.fallback, routeOf(defaults.fallback).listen(to, local))
    },
    keyOf: (access, permitted, now) => {
      const name = nameFor(defaults, access.target, permitted)
      const { keyOf = () => name } = routeOf(name)
      return keyOf(access, permitted, now)
    },
    datagrams: (to, share) =>
      inTurn({ ...to, permitted: Direct.ipv4First(to.permitted) }, ({ route, to }) =>
        route.datagrams(to, share)
      )
  }
}

/** Says the way of a connection whose route says none: that of the direct route. */
const withWay = (name: string, outgoing: Outgoing): Outgoing =>
  outgoing.way === undefined
    ? { ...outgoing, way: { route: name, egress: outgoing.local.address } }
    : outgoing

const connected = <E, R>(name: string, connecting: Effect.Effect<Connected, E, R>) =>
  Effect.map(connecting, ({ outgoing, decision }) => ({ outgoing: withWay(name, outgoing), decision }))

const awaited = <E, R>(name: string, waiting: Effect.Effect<Incoming, E, R>) =>
  Effect.map(waiting, ({ listening, decision }) => ({
    listening: {
      ...listening,
      accepted: Effect.map(listening.accepted, (outgoing) => withWay(name, outgoing))
    },
    decision
  }))

const unableForAnyone = Effect.fail(
  new RouteUnable({ reason: "a BIND without an address has no route where rules name routes" })
)

/** A route that the settings do not have, so that nothing goes by another way. */
const unknown = (name: string): Route => {
  const failed = Effect.fail(new RouteUnable({ reason: `there is no route ${name}` }))
  return { connect: () => failed, listen: () => failed, datagrams: () => failed }
}
