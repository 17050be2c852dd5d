/**
 * The sessions of all workers, asked for by the primary.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
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

/** To a worker, and what it answers. */
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

export interface SessionQuery<Worker> {
  /** What each of them answers; of who does not within a second, nothing. */
  readonly call: (
    workers: Iterable<Worker>
  ) => Effect.Effect<ReadonlyArray<readonly [Worker, Answer | undefined]>>
  readonly receive: (answer: Answer) => void
}

export const make = <Worker extends { readonly send: (call: Call) => void }>(): SessionQuery<Worker> => {
  const asked = new Map<number, Deferred.Deferred<Answer>>()
  let count = 0
  const ask = (worker: Worker) =>
    Effect.suspend(() => {
      const id = ++count
      const answer = Deferred.makeUnsafe<Answer>()
      asked.set(id, answer)
      worker.send({ _tag: "list", id })
      return Deferred.await(answer).pipe(
        Effect.timeoutOrElse({ duration: "1 second", orElse: () => Effect.undefined }),
        Effect.map((answer) => [worker, answer] as const),
        Effect.ensuring(Effect.sync(() => asked.delete(id)))
      )
    })
  return {
    call: (workers) => Effect.forEach(workers, ask, { concurrency: "unbounded" }),
    receive: (answer) => {
      const waiting = asked.get(answer.id)
      if (waiting) Deferred.doneUnsafe(waiting, Effect.succeed(answer))
    }
  }
}
