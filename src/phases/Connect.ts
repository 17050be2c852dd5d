/**
 * CONNECT: find the target's addresses, connect to one of them, move the bytes
 * (RFC 1928 §4, §6).
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { ClientGone, DialError, ResolveError } from "../Errors.ts"
import type { Client } from "../network/Client.ts"
import { Dialer, type Outgoing } from "../network/Dialer.ts"
import { type Ending, Relay, type Traffic } from "../network/Relay.ts"
import { Resolver } from "../network/Resolver.ts"
import type { Target } from "../wire/Target.ts"

/** A connection to the target, for as long as the client waits for it. */
export const open = (
  client: Client,
  { host, port }: Target
): Effect.Effect<Outgoing, ClientGone | ResolveError | DialError, Resolver | Dialer | Scope.Scope> =>
  Effect.raceFirst(
    Effect.gen(function* () {
      const resolver = yield* Resolver
      const dialer = yield* Dialer
      const addresses = NetAddress.isIpAddress(host) ? ([host] as const) : yield* resolver.resolve(host)
      return yield* dialer.connect(addresses, port)
    }),
    client.gone
  )

/** Client and target are each other's from here on. */
export const relay = Effect.fnUntraced(function* (
  client: Client,
  outgoing: Outgoing,
  traffic: Traffic
): Effect.fn.Return<Ending, never, Relay> {
  const { run } = yield* Relay
  const { duplex, early } = client.detach()
  return yield* run({ client: duplex, target: outgoing.duplex, early, traffic })
})
