/**
 * What is known of a connection, and the line that it leaves in the log.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { SessionError } from "../Errors.ts"
import type { Known } from "../phases/Dialect.ts"
import { type Answer, answers } from "../Reply.ts"
import * as Socks5 from "../wire/Socks5.ts"
import * as Target from "../wire/Target.ts"

/** A connection, and what is known of it so far. */
export interface Session extends Known {
  readonly id: number
  /** The error that the client was told of, which can be less than the outcome says. */
  told?: SessionError
}

/** One line for a session that has ended. */
export const log = Effect.fnUntraced(function* (session: Session) {
  const {
    id,
    peer,
    startedAt,
    dialect,
    identity,
    claimed,
    request,
    address,
    outcome = "closed by server",
    told,
    status,
    traffic
  } = session
  const record = {
    id,
    client: ListenAddress.format(peer.remote),
    ...(peer.via && { via: ListenAddress.format(peer.via) }),
    listener: ListenAddress.format(peer.local),
    protocol: dialect?.name,
    user: identity?.user ?? claimed,
    command: request?.command,
    target: request && Target.format(request.target),
    address: address && NetAddress.formatInet(address),
    ...(typeof outcome === "string"
      ? { outcome, reply: Socks5.ReplyCode.Succeeded }
      : failure(outcome, told)),
    // SOCKS and HTTP each have codes of their own.
    ...(status !== undefined && { reply: undefined, status }),
    sent: traffic.sent,
    received: traffic.received,
    ...(traffic.dropped !== undefined && { dropped: traffic.dropped }),
    duration: (yield* Clock.currentTimeMillis) - startedAt
  }
  yield* request === undefined && unremarkable.has(record.outcome)
    ? Effect.logDebug("session", record)
    : Effect.logInfo("session", record)
})

/**
 * Failures that any passer-by causes, of interest to nobody who is not looking
 * for them, or that have a line of their own, as failed logins do.
 */
const unremarkable: ReadonlySet<string> = new Set([
  "AuthenticationFailed",
  "Banned",
  "ClientGone",
  "UnknownProtocol",
  "HandshakeTimeout",
  "NotForProxy",
  "TlsFailed"
])

/** An error's tag, the reply it earned, and what it carries: target, reason, code, … */
const failure = (error: SessionError, told = error) => {
  const { _tag, ...details } = error
  const { socks }: Answer = answers[told._tag]
  return { outcome: _tag, reply: socks.message === "none" ? undefined : socks.code, ...details }
}
