/**
 * CONNECT: find the target's addresses, connect to one of them, move the bytes
 * (RFC 1928 §4, §6).
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import {
  type ClientGone,
  type DialError,
  InvalidTarget,
  type LimitError,
  type ResolveError
} from "../Errors.ts"
import type { Bandwidth } from "../limits/Bandwidth.ts"
import * as SessionBandwidth from "../limits/SessionBandwidth.ts"
import type { LimitSettings } from "../limits/Settings.ts"
import type { Dialer, Outgoing } from "../network/Dialer.ts"
import { type Ending, Relay } from "../network/Relay.ts"
import type { Resolver } from "../network/Resolver.ts"
import type { NetworkSettings } from "../network/Settings.ts"
import * as Authorize from "../policy/Authorize.ts"
import type { Decision } from "../policy/Decision.ts"
import type { Policy } from "../policy/Policy.ts"
import type { Connected } from "../routes/Route.ts"
import { CurrentRoute } from "../routes/Routes.ts"
import { accessOf } from "../session/States.ts"
import * as Target from "../wire/Target.ts"
import type { CommandContext } from "./CommandContext.ts"

/** The client is told of the connection before any byte of the target's. */
export const run = (
  order: CommandContext
): Effect.Effect<
  Ending,
  ClientGone | InvalidTarget | ResolveError | DialError | LimitError,
  Bandwidth | LimitSettings | NetworkSettings | Policy | Resolver | Dialer | Relay | Scope.Scope
> =>
  // Nobody waits for a connection whose client has gone.
  Effect.flatMap(order.client.whileConnected(open(order)), ({ outgoing, decision }) =>
    join(order, outgoing, outgoing.local, decision)
  )

/** Tells the client of its target's connection, and makes the two each other's. */
export const join = (
  { client, admitted, log, connected, succeeded }: CommandContext,
  target: Outgoing,
  bound: NetAddress.InetAddress,
  decision: Decision
): Effect.Effect<Ending, never, Bandwidth | LimitSettings | Relay | Scope.Scope> =>
  // No generator, which would stay for as long as the relay runs.
  connected({ admitted, decision, remote: target.remote }).pipe(
    Effect.andThen(succeeded(bound)),
    Effect.andThen(SessionBandwidth.of(admitted, decision)),
    Effect.flatMap((pace) => {
      const { transport, early } = client.detach()
      const ends = { client: transport, target: target.transport, early, traffic: log.traffic, pace }
      return Effect.flatMap(Relay, (relay) => relay.run(ends))
    })
  )

/** A connection to the target, by the route of the session. Only judged addresses get there. */
export const open = Effect.fnUntraced(function* ({
  admitted,
  enter
}: Pick<CommandContext, "admitted" | "enter">): Effect.fn.Return<
  Connected,
  InvalidTarget | ResolveError | DialError | LimitError,
  NetworkSettings | Policy | Resolver | Dialer | Scope.Scope
> {
  const { target } = admitted.request
  const { host, port } = target
  // What `connect` does with it differs from system to system; no service has it.
  if (port === 0) {
    return yield* new InvalidTarget({
      target: Target.format(target),
      reason: "port 0 cannot be connected to"
    })
  }
  // Nor is this anyone's address, though systems take it for this machine's.
  if (NetAddress.isIpAddress(host) && NetAddress.isUnspecified(host)) {
    return yield* new InvalidTarget({
      target: Target.format(target),
      reason: "the unspecified address is nobody's"
    })
  }
  const access = accessOf(admitted)
  const permitted = yield* Authorize.authorize(access)
  return yield* (yield* CurrentRoute).connect({ access, permitted, enter })
})
