/**
 * CONNECT: resolves the target, connects to one of its addresses, and relays (RFC 1928 §4, §6).
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as Phases from "../base/Phases.ts"
import {
  type ClientGone,
  type DialError,
  InvalidTarget,
  type LimitError,
  type NotAllowed,
  type ResolveError
} from "../Errors.ts"
import type { Bandwidth } from "../limits/Bandwidth.ts"
import * as SessionBandwidth from "../limits/SessionBandwidth.ts"
import type { LimitSettings } from "../limits/Settings.ts"
import type { Client } from "../network/Client.ts"
import type { Dialer, Outgoing } from "../network/Dialer.ts"
import { Pseudonym } from "../network/Pseudonym.ts"
import { type Ending, Relay, type Traffic } from "../network/Relay.ts"
import type { Resolver } from "../network/Resolver.ts"
import type { NetworkSettings } from "../network/Settings.ts"
import * as Authorize from "../policy/Authorize.ts"
import type { Decision } from "../policy/Decision.ts"
import type { Policy } from "../policy/Policy.ts"
import type { Connected, JudgedTarget } from "../routes/Route.ts"
import { CurrentRoute } from "../routes/Routes.ts"
import { type Admitted, accessOf } from "../session/States.ts"
import * as HttpFields from "../wire/HttpFields.ts"
import * as Target from "../wire/Target.ts"
import type { CommandContext } from "./CommandContext.ts"

/** The client gets the reply before any byte of the target. */
export const run = (
  context: CommandContext
): Effect.Effect<
  Ending,
  ClientGone | InvalidTarget | ResolveError | DialError | LimitError,
  Bandwidth | LimitSettings | NetworkSettings | Policy | Pseudonym | Resolver | Dialer | Relay | Scope.Scope
> =>
  // The attempt ends if the client goes away.
  Effect.flatMap(context.client.whileConnected(open(context)), ({ outgoing, decision }) =>
    join(context, outgoing, outgoing.local, decision)
  )

/** Sends the reply with the address `bound`, and relays between the client and the target's connection. */
export const join = (
  { client, admitted, log, connected, succeeded }: CommandContext,
  target: Outgoing,
  bound: NetAddress.InetAddress,
  decision: Decision
): Effect.Effect<Ending, never, Bandwidth | LimitSettings | Relay | Scope.Scope> =>
  // No generator, which would stay in memory as long as the relay runs.
  connected({ admitted, decision, remote: target.remote, way: target.way }).pipe(
    Effect.andThen(succeeded(bound)),
    Effect.andThen(target.early ? passEarly(client, target.early, log.traffic) : Effect.void),
    Effect.andThen(SessionBandwidth.of(admitted, decision)),
    Effect.flatMap((pace) =>
      Effect.withFiber((fiber: Fiber.Fiber<unknown, unknown>) => {
        const { transport, early } = client.detach()
        const { traffic } = log
        const onFirstByte = Phases.awaitByte(fiber)
        const ends = { client: transport, target: target.transport, early, traffic, pace, onFirstByte }
        return Phases.run(
          "relay",
          Effect.flatMap(Relay, (relay) => relay.run(ends))
        )
      })
    )
  )

/** Sends the client what the target has sent before the relay begins. */
const passEarly = (client: Client, early: Uint8Array, traffic: Traffic): Effect.Effect<void> => {
  traffic.received += early.length
  return client.reply(early)
}

/** A connection to the target, by the route of the session, to an address that the policy allows. */
export const open = ({
  admitted,
  chargeRule,
  log
}: Pick<CommandContext, "admitted" | "chargeRule" | "log">): Effect.Effect<
  Connected,
  InvalidTarget | ResolveError | DialError | LimitError,
  NetworkSettings | Policy | Pseudonym | Resolver | Dialer | Scope.Scope
> =>
  Effect.flatMap(judge(admitted), (judged) =>
    Phases.run(
      "dial",
      Effect.flatMap(viaOf(admitted), (via) =>
        Effect.flatMap(CurrentRoute, (route) => route.connect({ ...judged, via, chargeRule, log }))
      )
    )
  )

/** The access of a request, and the addresses of its target that the policy allows. */
export const judge = (
  admitted: Admitted
): Effect.Effect<
  Pick<JudgedTarget, "access" | "permitted">,
  InvalidTarget | NotAllowed | ResolveError,
  Policy | Resolver
> => {
  const { target } = admitted.request
  const { host, port } = target
  const invalid = (reason: string) =>
    Effect.fail(new InvalidTarget({ target: Target.format(target), reason }))
  // No service has port 0, and systems differ in what `connect` does with it.
  if (port === 0) return invalid("port 0 cannot be connected to")
  // The unspecified address is no host's, but systems connect it to this machine.
  if (NetAddress.isIpAddress(host) && NetAddress.isUnspecified(host)) {
    return invalid("the unspecified address is no host's")
  }
  const access = accessOf(admitted)
  return Effect.map(Phases.run("decide", Authorize.authorize(access)), (permitted) => ({ access, permitted }))
}

/** The proxies that a request has passed, for the next one. */
export const viaOf = ({
  protocol,
  request
}: Admitted): Effect.Effect<NonNullable<JudgedTarget["via"]>, never, Pseudonym> =>
  Effect.map(Pseudonym, (pseudonym) => ({
    before:
      request.command === "FORWARD"
        ? HttpFields.via(request.head)
        : (request.via ?? (protocol === "SOCKS4" ? "SOCKS/4" : "SOCKS/5")),
    pseudonym
  }))
