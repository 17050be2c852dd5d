/**
 * A session at one moment, as plain data: for operators, and for messages between processes.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as ListenAddress from "../config/ListenAddress.ts"
import * as Target from "../wire/Target.ts"
import type { Session } from "./Session.ts"

/** A session at one moment, as plain data. */
export interface SessionSnapshot {
  /** The session's number, unique among all workers. */
  readonly id: number
  readonly client: string
  /** The authenticated user. */
  readonly user?: string | undefined
  readonly target?: string | undefined
  /** The target's address that the session uses. */
  readonly address?: string | undefined
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Bytes to the target. */
  readonly sent: number
  /** Bytes from the target. */
  readonly received: number
}

export const of = ({ id, peer, user, admitted, running, startedAt, traffic }: Session): SessionSnapshot => ({
  id,
  client: ListenAddress.format(peer.remote),
  user,
  target: admitted && Target.format(admitted.request.target),
  address: running && NetAddress.formatInet(running.remote),
  startedAt,
  sent: traffic.sent,
  received: traffic.received
})
