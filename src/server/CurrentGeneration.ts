/**
 * What a server goes by now, replaced as a whole by a reload.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import { Authenticator } from "../auth/Authenticator.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import { Policy } from "../policy/Policy.ts"
import type { Generation } from "./Generation.ts"
import type * as Listeners from "./Listeners.ts"

export interface CurrentGeneration {
  readonly generation: () => Generation
  /** Where the server listens: addresses, ports and paths as they turned out. */
  readonly listeners: () => ReadonlyArray<ListenAddress.ListenAddress>
  /** Those that listen on TCP. */
  readonly addresses: () => ReadonlyArray<NetAddress.InetAddress>
  /** The authenticator of now, for connections of earlier generations, too. */
  readonly authenticator: Authenticator["Service"]
  /** The policy of now, for connections of earlier generations, too. */
  readonly policy: Policy["Service"]
  readonly replace: (next: Generation, open: ReadonlyArray<Listeners.Endpoint>) => void
  /** Makes every remembered decision void. */
  readonly forgetDecisions: () => void
}

export const make = (first: Generation): CurrentGeneration => {
  let generation = first
  let revision = 0
  let listeners: ReadonlyArray<ListenAddress.ListenAddress> = []
  let addresses: ReadonlyArray<NetAddress.InetAddress> = []
  const authenticator = () => Context.get(generation.services, Authenticator)
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

/** An endpoint as it turned out to be. */
export const listenersOf = ({
  at,
  bound
}: Listeners.Endpoint): ReadonlyArray<ListenAddress.ListenAddress> => {
  const isTls = ListenAddress.endpointOf(at)._tag === "Tls"
  const opened = isTls ? bound.map(ListenAddress.tls) : bound
  return at._tag === "WithOptions" ? opened.map((it) => ListenAddress.withOptions(it, at.options)) : opened
}

/** The addresses of those listeners that listen on TCP. */
export const addressesOf = (
  listeners: ReadonlyArray<ListenAddress.ListenAddress>
): ReadonlyArray<NetAddress.InetAddress> =>
  listeners.map(ListenAddress.endpointOf).map(ListenAddress.placeOf).flatMap(inetOf)

const inetOf = (place: ListenAddress.Place): ReadonlyArray<NetAddress.InetAddress> =>
  place._tag === "HostPort" && NetAddress.isIpAddress(place.host)
    ? [NetAddress.inetAddressUnsafe(place.host, place.port)]
    : []
