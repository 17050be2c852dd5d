/**
 * The state of a session, and the session's events.
 */
import type * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { SessionError } from "../Errors.ts"
import type { Origin } from "../limits/HandshakeLimiter.ts"
import type { Holder } from "../limits/Reservation.ts"
import type { Way } from "../network/Dialer.ts"
import { listenerOf, type Peer } from "../network/Peer.ts"
import type { Ending, Traffic } from "../network/Relay.ts"
import type { Access } from "../policy/Access.ts"
import { type Answer, answers } from "../Reply.ts"
import * as Socks5 from "../wire/Socks5.ts"
import * as Target from "../wire/Target.ts"
import type * as Event from "./Event.ts"
import type { Accepted, Admitted, Running } from "./States.ts"

/** The fields of a session for the log only. No decision depends on them. */
export interface SessionLog {
  /** Milliseconds since the epoch. */
  startedAt: number
  /** The authenticated user; set before the request is read. */
  user: string | undefined
  /** The unverified user name that the client gave, printable. */
  unverifiedUser: string | undefined
  /** The HTTP status that was sent to the client. */
  status: number | undefined
  /** The way to the target that was tried last; undefined for a route that says nothing, as the direct one. */
  way: Way | undefined
  readonly traffic: Traffic
}

/** A session in one of its states. */
export interface Session extends SessionLog {
  readonly id: number
  peer: Peer
  /** The keys by which the handshake is counted. */
  origin: Origin
  accepted: Accepted | undefined
  admitted: Admitted | undefined
  running: Running | undefined
  /** The protocol, after it was detected. */
  protocol: Access["protocol"] | undefined
  outcome: Ending | SessionError | undefined
  /** The error in the reply to the client: the outcome, or `ConnectFailed` if the outcome is masked. */
  reportedError: SessionError | undefined
  /** The fiber that serves the connection. */
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  /** The place among the open sessions. */
  place: number
  /** What the session holds of the limits, while it is admitted. */
  reservation: Holder["reservation"]
}

/** A session with an admitted request. */
export type AdmittedSession = Session & { readonly admitted: Admitted }

/** Sets the request of a session. */
export const admit = (session: Session, admitted: Admitted): AdmittedSession =>
  Object.assign(session, { admitted })

/**
 * The first session of a connection. `startedAt` is in milliseconds since the epoch. The object has all fields from the
 * start: each field added later would change its hidden class in V8.
 */
export const make = (id: number, startedAt: number, peer: Peer, origin: Origin): Session => ({
  id,
  startedAt,
  peer,
  origin,
  accepted: undefined,
  admitted: undefined,
  running: undefined,
  protocol: undefined,
  user: undefined,
  unverifiedUser: undefined,
  outcome: undefined,
  reportedError: undefined,
  status: undefined,
  way: undefined,
  fiber: undefined,
  place: -1,
  reservation: undefined,
  traffic: { sent: 0, received: 0 }
})

/** Turns a session that ended into the next session of its connection. */
export const renew = (session: Session, id: number, startedAt: number): void => {
  const { accepted, protocol, peer, origin, fiber, place } = session
  Object.assign(session, make(id, startedAt, peer, origin), { accepted, protocol, fiber, place })
}

/** The event that a session's request was admitted. */
export const begun = ({ id, peer, startedAt, admitted }: AdmittedSession): Event.SessionBegun => {
  const { identity, protocol, request } = admitted
  return {
    ...{ _tag: "SessionBegun", id, ...clientOf(peer), protocol, startedAt },
    ...{ user: identity.user, command: request.command, target: Target.format(request.target) }
  }
}

/** The event that a session has a connection to its target. */
export const connected = (
  id: number,
  { admitted, decision, remote, way }: Running
): Event.SessionConnected => ({
  _tag: "SessionConnected",
  id,
  user: admitted.identity.user,
  target: Target.format(admitted.request.target),
  address: NetAddress.formatInet(remote),
  rule: decision.rule,
  ...wayOf(way)
})

const parametersOf = (admitted: Admitted | undefined) => {
  const parameters = admitted?.identity.parameters
  return parameters && { parameters }
}

/** The way of a connection, as texts. */
const wayOf = (way: Way | undefined) =>
  way && {
    route: way.route,
    member: way.member,
    egress: way.egress && NetAddress.formatIp(way.egress)
  }

/** The event that a session ended, at a time in milliseconds since the epoch. */
export const ended = (session: Session, now: number): Event.SessionEnded => {
  const { id, peer, startedAt, protocol, user, unverifiedUser, running, traffic } = session
  const request = session.admitted?.request
  const { outcome = "closed by server", reportedError, status } = session
  // SOCKS and HTTP each have codes of their own.
  const reply = status === undefined ? { reply: Socks5.ReplyCode.Succeeded } : { status }
  return {
    _tag: "SessionEnded",
    isAuthenticated: user !== undefined,
    isAdmitted: request !== undefined,
    rule: running?.decision.rule,
    id,
    client: ListenAddress.format(peer.remote),
    via: peer.via && ListenAddress.format(peer.via),
    listener: listenerOf(peer),
    protocol,
    user: user ?? unverifiedUser,
    ...parametersOf(session.admitted),
    command: request?.command,
    target: request && Target.format(request.target),
    address: running && NetAddress.formatInet(running.remote),
    ...wayOf(running ? running.way : session.way),
    ...(typeof outcome === "string" ? { outcome, ...reply } : failure(outcome, reportedError, status)),
    sent: traffic.sent,
    received: traffic.received,
    datagrams: traffic.datagrams,
    dropped: traffic.dropped,
    duration: now - startedAt
  }
}

const clientOf = (peer: Peer) => ({
  client: ListenAddress.format(peer.remote),
  via: peer.via && ListenAddress.format(peer.via),
  listener: listenerOf(peer)
})

/** An error's tag, the code of its reply, and the error's fields: target, reason, code and others. */
const failure = (error: SessionError, reported = error, status: number | undefined) => {
  const { _tag, ...details } = error
  const { socks }: Answer = answers[reported._tag]
  const reply = status === undefined && socks.message !== "none" ? socks.code : undefined
  return { outcome: _tag, reply, ...details, ...(status !== undefined && { status }) }
}
