/**
 * The sessions of all workers, asked for by the primary.
 */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type * as Requests from "../base/Requests.ts"
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

/** A worker, as far as it is asked for its sessions. */
export interface Asked {
  readonly pid: number
  readonly send: (call: Call) => void
}

/** The sum over all workers; a worker that does not answer counts for nothing. */
export const census = Effect.fnUntraced(function* <Worker extends Asked>(
  members: Iterable<Worker>,
  lists: Requests.Requests<Worker, Answer>
) {
  const workers = yield* Effect.forEach(
    members,
    (member) =>
      lists
        .ask(member, (id) => member.send({ _tag: "list", id }))
        .pipe(
          Effect.map(({ census }) => ({ pid: member.pid, ...census })),
          Effect.orElseSucceed((): { readonly pid: number } & Partial<Census> => ({ pid: member.pid }))
        ),
    { concurrency: "unbounded" }
  )
  const sum = (of: "sessions" | "associations" | "handshakes" | "descriptors") =>
    workers.reduce((sum, { [of]: count = 0 }) => sum + count, 0)
  return {
    sessions: sum("sessions"),
    associations: sum("associations"),
    handshakes: sum("handshakes"),
    descriptors: sum("descriptors"),
    workers
  }
})
