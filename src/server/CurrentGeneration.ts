/**
 * The generation in force and its listeners, which a reload replaces as a whole.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import { Authenticator } from "../auth/Authenticator.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import { RouteResolvers } from "../network/RouteResolvers.ts"
import { Policy } from "../policy/Policy.ts"
import type { Route } from "../routes/Route.ts"
import { CurrentRoute } from "../routes/Routes.ts"
import type { Generation } from "./Generation.ts"
import type * as Listeners from "./Listeners.ts"

export interface CurrentGeneration {
  readonly generation: () => Generation
  /** The listeners, with the addresses, ports and paths that they bound. */
  readonly listeners: () => ReadonlyArray<ListenAddress.ListenAddress>
  /** The addresses of the TCP listeners. */
  readonly addresses: () => ReadonlyArray<NetAddress.InetAddress>
  /** Delegates to the authenticator of the generation in force, for connections of earlier generations, too. */
  readonly authenticator: Authenticator["Service"]
  /** Delegates to the policy of the generation in force, for connections of earlier generations, too. */
  readonly policy: Policy["Service"]
  /** Delegates to the route of the generation in force: the decisions of its policy name its routes. */
  readonly route: Route
  /** Delegates to the resolvers of that route. */
  readonly routeResolvers: (typeof RouteResolvers)["Service"]
  readonly replace: (next: Generation, open: ReadonlyArray<Listeners.Endpoint>) => void
  /** Invalidates all remembered decisions: their revision is no longer the present one. */
  readonly forgetDecisions: () => void
}

export const make = (first: Generation): CurrentGeneration => {
  let generation = first
  let revision = 0
  let listeners: ReadonlyArray<ListenAddress.ListenAddress> = []
  let addresses: ReadonlyArray<NetAddress.InetAddress> = []
  const authenticator = () => Context.get(generation.services, Authenticator)
  const route = () => Context.get(generation.services, CurrentRoute)
  return {
    generation: () => generation,
    listeners: () => listeners,
    addresses: () => addresses,
    authenticator: {
      get methods() {
        return authenticator().methods
      },
      verify: (credentials, from) => authenticator().verify(credentials, from),
      recognize: (name, from) => authenticator().recognize?.(name, from) ?? Effect.undefined
    },
    policy: {
      judge: (access, address) => Context.get(generation.services, Policy).judge(access, address),
      revision: () => revision
    },
    route: {
      connect: (to) => route().connect(to),
      get forward() {
        return route().forward
      },
      listen: (to, local) => route().listen(to, local),
      datagrams: (to, share) => route().datagrams(to, share),
      get carriesDatagrams() {
        return route().carriesDatagrams
      },
      keyOf: (access, permitted, now) => {
        const { keyOf = () => "" } = route()
        return keyOf(access, permitted, now)
      }
    },
    routeResolvers: (name) => Context.get(generation.services, RouteResolvers)(name),
    replace: (next, open) => {
      generation = next
      revision++
      listeners = open.flatMap(listenersOf)
      addresses = addressesOf(listeners)
    },
    forgetDecisions: () => {
      revision++
    }
  }
}

/** The listeners of an endpoint, with the addresses that they bound. */
export const listenersOf = ({
  at,
  bound
}: Listeners.Endpoint): ReadonlyArray<ListenAddress.ListenAddress> => {
  const isTls = ListenAddress.endpointOf(at)._tag === "Tls"
  const opened = isTls ? bound.map(ListenAddress.tls) : bound
  return at._tag === "WithOptions" ? opened.map((it) => ListenAddress.withOptions(it, at.options)) : opened
}

/** The addresses of the TCP listeners. */
export const addressesOf = (
  listeners: ReadonlyArray<ListenAddress.ListenAddress>
): ReadonlyArray<NetAddress.InetAddress> =>
  listeners.map(ListenAddress.endpointOf).map(ListenAddress.placeOf).flatMap(inetOf)

const inetOf = (place: ListenAddress.Place): ReadonlyArray<NetAddress.InetAddress> =>
  place._tag === "HostPort" && NetAddress.isIpAddress(place.host)
    ? [NetAddress.inetAddressUnsafe(place.host, place.port)]
    : []
