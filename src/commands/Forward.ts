/**
 * FORWARD: forwards an HTTP request to its target (RFC 9110 §7.6).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Phases from "../base/Phases.ts"
import { BadResponse, LastHop, LoopDetected, type SessionError } from "../Errors.ts"
import type { Bandwidth } from "../limits/Bandwidth.ts"
import * as SessionBandwidth from "../limits/SessionBandwidth.ts"
import type { LimitSettings } from "../limits/Settings.ts"
import type { Dialer, HttpUpstream } from "../network/Dialer.ts"
import type { HttpExchange } from "../network/HttpExchange.ts"
import * as HttpForward from "../network/HttpForward.ts"
import { Pseudonym } from "../network/Pseudonym.ts"
import { type Ending, Relay } from "../network/Relay.ts"
import type { Resolver } from "../network/Resolver.ts"
import { NetworkSettings } from "../network/Settings.ts"
import type { Policy } from "../policy/Policy.ts"
import type { Forwarding } from "../session/States.ts"
import { type Fields, values } from "../wire/Http.ts"
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

// No generators for what each request runs: a generator keeps room for all its variables, and these made 4 KB of garbage a request.

export const run = (order: CommandContext<Forwarding>): Effect.Effect<Ending, SessionError, Services> =>
  Effect.flatMap(Pseudonym, (pseudonym) => {
    const { head } = order.request
    if (HttpFields.hasPassed(values(head.fields, "via"), pseudonym)) return Effect.fail(new LoopDetected())
    if (HttpFields.isLastHop(head)) return Effect.fail(new LastHop())
    return Effect.flatMap(attempt(order, true), ({ outcome, place, pace }) =>
      outcome._tag === "Unheard" ? again(order) : finish(order, outcome, place, pace)
    )
  })

/** The origin had closed a kept connection before this request came: once more, on a new one. */
const again = (order: CommandContext<Forwarding>): Effect.Effect<Ending, SessionError, Services> =>
  Effect.flatMap(attempt(order, false), ({ outcome, place, pace }) =>
    outcome._tag === "Unheard"
      ? Effect.fail(new BadResponse({ reason: outcome.reason }))
      : finish(order, outcome, place, pace)
  )

/** Forwards the request on a connection to its target. Without `canReuse`, the connection is a new one. */
const attempt = (
  order: CommandContext<Forwarding>,
  canReuse: boolean
): Effect.Effect<Attempt, SessionError, Services> => {
  const { client, admitted, request, log, connected, chargeRule } = order
  const { exchange } = request
  return Effect.flatMap(
    client.whileConnected(ForwardOrigin.open({ admitted, chargeRule, log, exchange, canReuse })),
    (place) =>
      connected({
        admitted,
        decision: place.decision,
        remote: place.origin.remote,
        way: place.origin.way
      }).pipe(
        Effect.andThen(SessionBandwidth.of(admitted, place.decision)),
        Effect.flatMap((pace) => {
          // The head was read before the limits were known: its bytes are charged now.
          const charged = SessionBandwidth.waitToPass(pace?.upload, exchange.tally.fromClient)
          return Effect.andThen(client.whileConnected(charged), pass(order, place, pace))
        })
      )
  )
}

/** Passes the request and its response between client and origin. */
const pass = (
  { request, log }: CommandContext<Forwarding>,
  place: ForwardOrigin.Place,
  pace: Attempt["pace"]
): Effect.Effect<Attempt, SessionError, Services> =>
  Effect.contextWith((context: Context.Context<NetworkSettings | Pseudonym>) =>
    Effect.withFiber((fiber) => {
      const { exchange, head, path, target } = request
      const { origin } = place
      const pseudonym = Context.get(context, Pseudonym)
      const isUpgrade = head.version === "1.1" && HttpFields.isUpgrade(head.fields)
      const onFirstByte = Phases.awaitByte(fiber)
      const fields = HttpFields.request(head, target, pseudonym, isUpgrade)
      const forwarding = HttpForward.run({
        exchange,
        origin,
        path: origin.upstream ? HttpFields.absolute(target, path) : path,
        fields: origin.upstream ? [...fields, ...authorization(origin.upstream)] : fields,
        pseudonym,
        pace,
        idleTimeout: Context.get(context, NetworkSettings).idleTimeout,
        isUpgrade,
        onStatus: (status) => {
          if (log.status === undefined) onFirstByte?.()
          log.status = status
        }
      })
      return Effect.flatMap(Phases.run("relay", forwarding), (outcome) =>
        passed(outcome, exchange, place, pace)
      )
    })
  )

/** Keeps the origin's connection if it can take another request. */
const passed = (
  outcome: HttpForward.Outcome,
  exchange: HttpExchange,
  place: ForwardOrigin.Place,
  pace: Attempt["pace"]
): Effect.Effect<Attempt, BadResponse, OriginPool> => {
  const isRepeatable = place.origin.isReused && ForwardOrigin.isRepeatable(exchange)
  if (outcome._tag === "Unheard" && !isRepeatable) {
    return Effect.fail(new BadResponse({ reason: outcome.reason }))
  }
  const attempt = { outcome, place, pace }
  return outcome._tag === "Over" && outcome.isKept
    ? Effect.as(ForwardOrigin.giveBack(place, exchange), attempt)
    : Effect.succeed(attempt)
}

/** The credentials for the upstream that takes the request. */
const authorization = ({ authorization }: HttpUpstream): Fields =>
  authorization ? [["Proxy-Authorization", Redacted.value(authorization)]] : []

interface Attempt {
  readonly outcome: HttpForward.Outcome
  readonly place: ForwardOrigin.Place
  readonly pace: Effect.Success<ReturnType<typeof SessionBandwidth.of>>
}

const finish = (
  { log, request: { exchange } }: CommandContext<Forwarding>,
  outcome: Exclude<HttpForward.Outcome, { readonly _tag: "Unheard" }>,
  place: ForwardOrigin.Place,
  pace: Attempt["pace"]
): Effect.Effect<Ending, never, Relay> =>
  outcome._tag === "Over"
    ? Effect.succeed(outcome.ending)
    : Effect.flatMap(Relay, (relay) =>
        relay.run({
          client: exchange.channel.transport,
          target: place.origin.transport,
          early: outcome.early,
          traffic: log.traffic,
          pace
        })
      )
