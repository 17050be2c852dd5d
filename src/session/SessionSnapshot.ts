/**
 * A session at one moment, as plain data: for operators, and for messages between processes.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as ListenAddress from "../config/ListenAddress.ts"
import { listenerOf } from "../network/Peer.ts"
import * as Target from "../wire/Target.ts"
import type { Session } from "./Session.ts"

/** A session at one moment, as plain data. */
export interface SessionSnapshot {
  /** The session's number, unique among all workers. */
  readonly id: number
  readonly client: string
  /** The authenticated user. */
  readonly user?: string | undefined
  readonly listener: string
  /** The protocol, after it was detected. */
  readonly protocol?: string | undefined
  readonly command?: string | undefined
  readonly target?: string | undefined
  /** The target's address that the session uses. */
  readonly address?: string | undefined
  /** The rule that allows the address. */
  readonly rule?: string | undefined
  /** The route of the connection; left out for the direct one. */
  readonly route?: string | undefined
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Bytes to the target. */
  readonly sent: number
  /** Bytes from the target. */
  readonly received: number
}

export const of = (session: Session): SessionSnapshot => {
  const { id, peer, user, admitted, running, way, protocol, startedAt, traffic } = session
  return {
    id,
    client: ListenAddress.format(peer.remote),
    user,
    listener: listenerOf(peer),
    protocol,
    command: admitted?.request.command,
    target: admitted && Target.format(admitted.request.target),
    address: running && NetAddress.formatInet(running.remote),
    rule: running?.decision.rule,
    route: (running ? running.way : way)?.route,
    startedAt,
    sent: traffic.sent,
    received: traffic.received
  }
}
