/**
 * FORWARD: forwards an HTTP request to its target (RFC 9110 §7.6).
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Phases from "../base/Phases.ts"
import { BadResponse, LastHop, LoopDetected, type SessionError } from "../Errors.ts"
import type { Bandwidth } from "../limits/Bandwidth.ts"
import * as SessionBandwidth from "../limits/SessionBandwidth.ts"
import type { LimitSettings } from "../limits/Settings.ts"
import type { Dialer, HttpUpstream } from "../network/Dialer.ts"
import * as HttpForward from "../network/HttpForward.ts"
import { Pseudonym } from "../network/Pseudonym.ts"
import { type Ending, Relay } from "../network/Relay.ts"
import type { Resolver } from "../network/Resolver.ts"
import { NetworkSettings } from "../network/Settings.ts"
import type { Policy } from "../policy/Policy.ts"
import type { Forwarding } from "../session/States.ts"
import type { Fields } from "../wire/Http.ts"
import * as HttpFields from "../wire/HttpFields.ts"
import type { CommandContext } from "./CommandContext.ts"
import * as ForwardOrigin from "./ForwardOrigin.ts"
import type { OriginPool } from "./OriginPool.ts"

type Services =
  | Bandwidth
  | LimitSettings
  | NetworkSettings
  | OriginPool
  | Policy
  | Pseudonym
  | Relay
  | Resolver
  | Dialer
  | Scope.Scope

export const run = Effect.fnUntraced(function* (
  order: CommandContext<Forwarding>
): Effect.fn.Return<Ending, SessionError, Services> {
  const { head } = order.request
  if (HttpFields.hasPassed(head.fields, yield* Pseudonym)) return yield* new LoopDetected()
  if (HttpFields.isLastHop(head)) return yield* new LastHop()
  const outcome = yield* attempt(order, true)
  if (outcome._tag !== "Unheard") return yield* finish(order, outcome)
  // The origin had closed a kept connection before this request came: once more, on a new one.
  const second = yield* attempt(order, false)
  if (second._tag !== "Unheard") return yield* finish(order, second)
  return yield* new BadResponse({ reason: second.reason })
})

/** Forwards the request on a connection to its target. Without `canReuse`, the connection is a new one. */
const attempt = Effect.fnUntraced(function* (
  { client, admitted, request, log, connected, chargeRule }: CommandContext<Forwarding>,
  canReuse: boolean
): Effect.fn.Return<Attempt, SessionError, Services> {
  const { exchange, head, path, target } = request
  const place = yield* client.whileConnected(
    ForwardOrigin.open({ admitted, chargeRule, log, exchange, canReuse })
  )
  const { origin, decision } = place
  yield* connected({ admitted, decision, remote: origin.remote, way: origin.way })
  const pace = yield* SessionBandwidth.of(admitted, decision)
  // The head was read before the limits were known: its bytes are charged now.
  yield* client.whileConnected(SessionBandwidth.waitToPass(pace?.upload, exchange.tally.fromClient))
  const { idleTimeout } = yield* NetworkSettings
  const pseudonym = yield* Pseudonym
  const isUpgrade = head.version === "1.1" && HttpFields.isUpgrade(head.fields)
  const onFirstByte = yield* Effect.withFiber((fiber) => Effect.succeed(Phases.awaitByte(fiber)))
  const forwarding = HttpForward.run({
    exchange,
    origin,
    path: origin.upstream ? HttpFields.absolute(target, path) : path,
    fields: [
      ...HttpFields.request(head, target, pseudonym, isUpgrade),
      ...(origin.upstream ? authorization(origin.upstream) : [])
    ],
    pseudonym,
    pace,
    idleTimeout,
    isUpgrade,
    onStatus: (status) => {
      if (log.status === undefined) onFirstByte?.()
      log.status = status
    }
  })
  const outcome = yield* Phases.run("relay", forwarding)
  if (outcome._tag === "Over" && outcome.isKept) yield* ForwardOrigin.giveBack(place, exchange)
  if (outcome._tag === "Unheard" && !(origin.isReused && ForwardOrigin.isRepeatable(exchange)))
    return yield* new BadResponse({ reason: outcome.reason })
  return { ...outcome, place, pace }
})

/** The credentials for the upstream that takes the request. */
const authorization = ({ authorization }: HttpUpstream): Fields =>
  authorization ? [["Proxy-Authorization", Redacted.value(authorization)]] : []

type Attempt = HttpForward.Outcome & {
  readonly place: ForwardOrigin.Place
  readonly pace: Effect.Success<ReturnType<typeof SessionBandwidth.of>>
}

const finish = (
  { log, request: { exchange } }: CommandContext<Forwarding>,
  outcome: Exclude<Attempt, { readonly _tag: "Unheard" }>
): Effect.Effect<Ending, never, Relay> =>
  outcome._tag === "Over"
    ? Effect.succeed(outcome.ending)
    : Effect.flatMap(Relay, (relay) =>
        relay.run({
          client: exchange.channel.transport,
          target: outcome.place.origin.transport,
          early: outcome.early,
          traffic: log.traffic,
          pace: outcome.pace
        })
      )
