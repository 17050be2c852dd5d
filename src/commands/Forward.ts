/**
 * FORWARD: forwards an HTTP request to its target (RFC 9110 §7.6).
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { LoopDetected, type SessionError } from "../Errors.ts"
import type { Bandwidth } from "../limits/Bandwidth.ts"
import * as SessionBandwidth from "../limits/SessionBandwidth.ts"
import type { LimitSettings } from "../limits/Settings.ts"
import type { Dialer } from "../network/Dialer.ts"
import * as HttpForward from "../network/HttpForward.ts"
import { Pseudonym } from "../network/Pseudonym.ts"
import type { Ending } from "../network/Relay.ts"
import type { Resolver } from "../network/Resolver.ts"
import { NetworkSettings } from "../network/Settings.ts"
import type { Policy } from "../policy/Policy.ts"
import type { Forwarding } from "../session/States.ts"
import * as HttpFields from "../wire/HttpFields.ts"
import type { CommandContext } from "./CommandContext.ts"
import * as Connect from "./Connect.ts"

export const run = Effect.fnUntraced(function* ({
  client,
  admitted,
  request,
  log,
  connected,
  chargeRule
}: CommandContext<Forwarding>): Effect.fn.Return<
  Ending,
  SessionError,
  Bandwidth | LimitSettings | NetworkSettings | Policy | Pseudonym | Resolver | Dialer | Scope.Scope
> {
  const { idleTimeout } = yield* NetworkSettings
  const { target, head, path, exchange } = request
  const pseudonym = yield* Pseudonym
  if (HttpFields.hasPassed(head.fields, pseudonym)) return yield* new LoopDetected()
  const { outgoing, decision } = yield* client.whileConnected(
    Effect.raceFirst(Connect.open({ admitted, chargeRule }), exchange.broken)
  )
  yield* connected({ admitted, decision, remote: outgoing.remote })
  const pace = yield* SessionBandwidth.of(admitted, decision)
  // The head was read before the limits were known: its bytes are charged now.
  yield* client.whileConnected(SessionBandwidth.waitToPass(pace?.upload, exchange.tally.fromClient))
  return yield* Effect.raceFirst(
    HttpForward.run({
      exchange,
      target: outgoing.transport,
      method: head.method,
      path,
      fields: HttpFields.request(head, target, pseudonym),
      pseudonym,
      pace,
      idleTimeout,
      onStatus: (status) => {
        log.status = status
      }
    }),
    exchange.broken
  )
})
