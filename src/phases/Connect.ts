/**
 * CONNECT: find the target's addresses, connect to one of them, move the bytes
 * (RFC 1928 §4, §6).
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import { type ClientGone, type DialError, InvalidTarget, type ResolveError } from "../Errors.ts"
import { Dialer, type Outgoing } from "../network/Dialer.ts"
import { type Ending, Relay } from "../network/Relay.ts"
import { Resolver } from "../network/Resolver.ts"
import * as Target from "../wire/Target.ts"
import type { Order } from "./Order.ts"

/** The client is told of the connection before any byte of the target's. */
export const run = Effect.fnUntraced(function* ({
  client,
  request,
  known,
  succeeded
}: Order): Effect.fn.Return<
  Ending,
  ClientGone | InvalidTarget | ResolveError | DialError,
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
export const open = Effect.fnUntraced(function* (
  target: Target.Target
): Effect.fn.Return<Outgoing, InvalidTarget | ResolveError | DialError, Resolver | Dialer | Scope.Scope> {
  const { host, port } = target
  // What `connect` does with it differs from system to system; no service has it.
  if (port === 0) {
    return yield* new InvalidTarget({
      target: Target.format(target),
      reason: "port 0 cannot be connected to"
    })
  }
  const resolver = yield* Resolver
  const dialer = yield* Dialer
  const addresses = NetAddress.isIpAddress(host) ? ([host] as const) : yield* resolver.resolve(host)
  return yield* dialer.connect(addresses, port)
})
