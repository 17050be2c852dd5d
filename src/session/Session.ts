/**
 * The state of a connection, and the events of its sessions.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { SessionError } from "../Errors.ts"
import type { Origin } from "../limits/HandshakeLimiter.ts"
import { listenerOf, type Peer } from "../network/Peer.ts"
import type { Ending, Traffic } from "../network/Relay.ts"
import type { Access } from "../policy/Access.ts"
import { type Answer, answers } from "../Reply.ts"
import * as Socks5 from "../wire/Socks5.ts"
import * as Target from "../wire/Target.ts"
import type * as Event from "./Event.ts"
import type { Accepted, Admitted, Running } from "./States.ts"

/** The record of a session for its line in the log. No decision depends on it. */
export interface SessionLog {
  /** Milliseconds since the epoch. */
  startedAt: number
  /** The authenticated user; also set while there is no request yet. */
  user: string | undefined
  /** The user name that the client gives without proof, printable. */
  unverifiedUser: string | undefined
  /** The HTTP status that the client was sent. */
  status: number | undefined
  readonly traffic: Traffic
}

/** A connection in one of its states. */
export interface Session extends SessionLog {
  readonly id: number
  peer: Peer
  /** What its handshake is counted by. */
  origin: Origin
  accepted: Accepted | undefined
  admitted: Admitted | undefined
  running: Running | undefined
  /** The protocol that was detected. */
  protocol: Access["protocol"] | undefined
  outcome: Ending | SessionError | undefined
  /** The error that the client was told of, which can be less than the outcome says. */
  reportedError: SessionError | undefined
}

/** A session whose request is there. */
export type AdmittedSession = Session & { readonly admitted: Admitted }

/** Writes a request down in its session, which limits go by from then on. */
export const admit = (session: Session, admitted: Admitted): AdmittedSession =>
  Object.assign(session, { admitted })

/**
 * The first session of a connection, at a time in milliseconds since the epoch.
 * It has all its fields from the start, as each that came later would make
 * another shape of object of it.
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
  traffic: { sent: 0, received: 0 }
})

/** Makes the next session of a connection out of the one before. */
export const renew = (session: Session, id: number, startedAt: number): void => {
  const { accepted, protocol, peer, origin } = session
  Object.assign(session, make(id, startedAt, peer, origin), { accepted, protocol })
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
export const connected = (id: number, { admitted, decision, remote }: Running): Event.SessionConnected => ({
  _tag: "SessionConnected",
  id,
  user: admitted.identity.user,
  target: Target.format(admitted.request.target),
  address: NetAddress.formatInet(remote),
  rule: decision.rule
})

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
    command: request?.command,
    target: request && Target.format(request.target),
    address: running && NetAddress.formatInet(running.remote),
    ...(typeof outcome === "string" ? { outcome, ...reply } : failure(outcome, reportedError, status)),
    sent: traffic.sent,
    received: traffic.received,
    dropped: traffic.dropped,
    duration: now - startedAt
  }
}

const clientOf = (peer: Peer) => ({
  client: ListenAddress.format(peer.remote),
  via: peer.via && ListenAddress.format(peer.via),
  listener: listenerOf(peer)
})

/** An error's tag, the reply it earned, and what it carries: target, reason, code, … */
const failure = (error: SessionError, told = error, status: number | undefined) => {
  const { _tag, ...details } = error
  const { socks }: Answer = answers[told._tag]
  const reply = status === undefined && socks.message !== "none" ? socks.code : undefined
  return { outcome: _tag, reply, ...details, ...(status !== undefined && { status }) }
}
