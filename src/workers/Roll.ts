/**
 * The sessions of all workers, asked for by the primary.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import * as ListenAddress from "../config/ListenAddress.ts"
import type { Session } from "../server/Session.ts"
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
}

export const listed = ({ id, peer, identity, request, address, startedAt, traffic }: Session): Listed => ({
  id,
  client: ListenAddress.format(peer.remote),
  user: identity?.user,
  target: request && Target.format(request.target),
  address: address && NetAddress.formatInet(address),
  startedAt,
  sent: traffic.sent,
  received: traffic.received
})

export interface Roll<Worker> {
  /** What each of them answers; of who does not within a second, nothing. */
  readonly call: (
    workers: Iterable<Worker>
  ) => Effect.Effect<ReadonlyArray<readonly [Worker, ReadonlyArray<Listed>]>>
  readonly receive: (answer: Answer) => void
}

export const make = <Worker extends { readonly send: (call: Call) => void }>(): Roll<Worker> => {
  const asked = new Map<number, Deferred.Deferred<ReadonlyArray<Listed>>>()
  let count = 0
  const ask = (worker: Worker) =>
    Effect.suspend(() => {
      const id = ++count
      const answer = Deferred.makeUnsafe<ReadonlyArray<Listed>>()
      asked.set(id, answer)
      worker.send({ _tag: "list", id })
      return Deferred.await(answer).pipe(
        Effect.timeoutOrElse({ duration: "1 second", orElse: () => Effect.succeed([]) }),
        Effect.map((sessions) => [worker, sessions] as const),
        Effect.ensuring(Effect.sync(() => asked.delete(id)))
      )
    })
  return {
    call: (workers) => Effect.forEach(workers, ask, { concurrency: "unbounded" }),
    receive: ({ id, sessions }) => {
      const answer = asked.get(id)
      if (answer) Deferred.doneUnsafe(answer, Effect.succeed(sessions))
    }
  }
}
