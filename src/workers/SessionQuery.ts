/**
 * The sessions of all workers, asked for by the primary.
 */
import * as NetAddress from "effect/net/NetAddress"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { Session } from "../session/Session.ts"
import type { Census } from "../session/Sessions.ts"
import * as Target from "../wire/Target.ts"

/** A session as others are told of it. */
export interface Listed {
  readonly id: number
  readonly client: string
  readonly user?: string | undefined
  readonly target?: string | undefined
  readonly address?: string | undefined
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Bytes. */
  readonly sent: number
  readonly received: number
}

/** To a worker, and its answer. */
export interface Call {
  readonly _tag: "list"
  readonly id: number
}
export interface Answer {
  readonly _tag: "listed"
  readonly id: number
  readonly sessions: ReadonlyArray<Listed>
  readonly census: Census
}

export const listed = ({ id, peer, user, admitted, running, startedAt, traffic }: Session): Listed => ({
  id,
  client: ListenAddress.format(peer.remote),
  user,
  target: admitted && Target.format(admitted.request.target),
  address: running && NetAddress.formatInet(running.remote),
  startedAt,
  sent: traffic.sent,
  received: traffic.received
})
