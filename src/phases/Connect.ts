/**
 * CONNECT: find the target's addresses, connect to one of them, move the bytes
 * (RFC 1928 §4, §6).
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import type { ClientGone, DialError, ResolveError } from "../Errors.ts"
import { Dialer, type Outgoing } from "../network/Dialer.ts"
import { type Ending, Relay } from "../network/Relay.ts"
import { Resolver } from "../network/Resolver.ts"
import type { Target } from "../wire/Target.ts"
import type { Order } from "./Command.ts"

/** The client is told of the connection before any byte of the target's. */
export const run = Effect.fnUntraced(function* ({
  client,
  request,
  known,
  succeeded
}: Order): Effect.fn.Return<
  Ending,
  ClientGone | ResolveError | DialError,
  Resolver | Dialer | Relay | Scope.Scope
> {
  const relay = yield* Relay
  // Nobody waits for a connection whose client has gone.
  const outgoing = yield* Effect.raceFirst(open(request.target), client.gone)
  known.address = outgoing.remote
  yield* succeeded(outgoing.local)
  const { duplex, early } = client.detach()
  return yield* relay.run({ client: duplex, target: outgoing.duplex, early, traffic: known.traffic })
})

/** A connection to one of the target's addresses. Exactly the ones resolved are dialled. */
export const open = Effect.fnUntraced(function* ({
  host,
  port
}: Target): Effect.fn.Return<Outgoing, ResolveError | DialError, Resolver | Dialer | Scope.Scope> {
  const resolver = yield* Resolver
  const dialer = yield* Dialer
  const addresses = NetAddress.isIpAddress(host) ? ([host] as const) : yield* resolver.resolve(host)
  return yield* dialer.connect(addresses, port)
})
