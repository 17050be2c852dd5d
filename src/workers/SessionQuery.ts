/**
 * The sessions and upstreams of all workers: the primary lists them, and ends sessions by their numbers.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Requests from "../base/Requests.ts"
import * as Slices from "../base/Slices.ts"
import type { Ending } from "../network/Relay.ts"
import * as UpstreamState from "../routes/UpstreamState.ts"
import type { Census } from "../session/OpenSessions.ts"
import type { SessionSnapshot } from "../session/SessionSnapshot.ts"

/** The request to a worker, and the answer. */
export interface Call {
  readonly _tag: "list"
  readonly id: number
  /** Whether parts of the answer have the sessions. */
  readonly withSessions: boolean
  readonly withUpstreams: boolean
}
export interface Answer {
  readonly _tag: "listed"
  readonly id: number
  readonly census: Census
  readonly upstreams: ReadonlyArray<UpstreamState.UpstreamState>
}

/** A part of an answer, which comes before the answer: to send very many sessions at once would hold up the others. */
export interface Part {
  readonly _tag: "listedPart"
  readonly id: number
  readonly sessions: ReadonlyArray<SessionSnapshot>
}

/** The most sessions in a part. */
export const mostInPart = 256

/** An answer with all of its parts. */
export interface Listed extends Answer {
  readonly sessions: ReadonlyArray<SessionSnapshot>
}

/** The open requests for the sessions of workers. */
export interface Lists<in Worker> {
  readonly ask: Requests.Requests<Worker, Listed>["ask"]
  readonly receive: (worker: Worker, message: Answer | Part) => void
  readonly remove: (worker: Worker) => void
}

/** Waits for each answer as long as `patience` says. */
export const make = <Worker>(patience: Duration.Input): Lists<Worker> => {
  const requests = Requests.make<Worker, Listed>(patience)
  /** The parts of each worker by the number of the request. */
  const parts = new Map<Worker, Map<number, Array<SessionSnapshot>>>()
  const partsOf = (worker: Worker) => {
    const known = parts.get(worker) ?? new Map<number, Array<SessionSnapshot>>()
    parts.set(worker, known)
    return known
  }
  return {
    ask: requests.ask,
    receive: (worker, message) => {
      const known = partsOf(worker)
      const sessions = known.get(message.id) ?? []
      if (message._tag === "listedPart") {
        sessions.push(...message.sessions)
        known.set(message.id, sessions)
      } else {
        known.delete(message.id)
        requests.answer(worker, message.id, { ...message, sessions })
      }
    },
    remove: (worker) => {
      parts.delete(worker)
      requests.remove(worker)
    }
  }
}

/** The request to end a session, and whether the worker had the session. */
export interface EndCall {
  readonly _tag: "end"
  readonly id: number
  readonly session: number
  readonly reason: Ending
}
export interface EndAnswer {
  readonly _tag: "endAnswered"
  readonly id: number
  readonly isFound: boolean
}

/** A worker, as far as requests about sessions need it. */
interface Asked {
  readonly pid: number
  readonly send: (call: Call | EndCall) => void
}

/** The sum over all workers, without those that do not answer. */
export const census = Effect.fnUntraced(function* <Worker extends Asked>(
  members: Iterable<Worker>,
  lists: Lists<Worker>
) {
  const workers = yield* askAll(members, (member) =>
    lists
      .ask(member, (id) => member.send({ _tag: "list", id, withSessions: false, withUpstreams: false }))
      .pipe(
        Effect.map(({ census }) => ({ pid: member.pid, ...census })),
        Effect.orElseSucceed((): { readonly pid: number } & Partial<Census> => ({ pid: member.pid }))
      )
  )
  const sum = (of: Exclude<keyof Census, "limits">) =>
    workers.reduce((sum, { [of]: count = 0 }) => sum + count, 0)
  return {
    sessions: sum("sessions"),
    associations: sum("associations"),
    handshakes: sum("handshakes"),
    descriptors: sum("descriptors"),
    sent: sum("sent"),
    received: sum("received"),
    workers
  }
})

/** The sessions of all workers, the oldest first, without those of workers that do not answer. */
export const sessions = Effect.fnUntraced(function* <Worker extends Asked>(
  members: Iterable<Worker>,
  lists: Lists<Worker>
) {
  const all = yield* askAll(members, (member) =>
    lists
      .ask(member, (id) => member.send({ _tag: "list", id, withSessions: true, withUpstreams: false }))
      .pipe(
        Effect.map(({ sessions }) => sessions),
        Effect.orElseSucceed((): Listed["sessions"] => [])
      )
  )
  return yield* Slices.run(Slices.sort(all.flat(), (one, other) => one.startedAt - other.startedAt))
})

/** The upstreams of all workers, without those of workers that do not answer. */
export const upstreams = Effect.fnUntraced(function* <Worker extends Asked>(
  members: Iterable<Worker>,
  lists: Lists<Worker>
) {
  const parts = yield* askAll(members, (member) =>
    lists
      .ask(member, (id) => member.send({ _tag: "list", id, withSessions: false, withUpstreams: true }))
      .pipe(
        Effect.map(({ upstreams }) => ({ pid: member.pid, upstreams })),
        Effect.orElseSucceed((): UpstreamState.Part => ({ pid: member.pid, upstreams: [] }))
      )
  )
  return UpstreamState.merge(parts)
})

/** Ends the session with this number. Returns whether a worker had it. */
export const end = <Worker extends Asked>(
  members: Iterable<Worker>,
  ends: Requests.Requests<Worker, boolean>,
  session: number,
  reason: Ending
): Effect.Effect<boolean> =>
  Effect.map(
    askAll(members, (member) =>
      ends
        .ask(member, (id) => member.send({ _tag: "end", id, session, reason }))
        .pipe(Effect.orElseSucceed(() => false))
    ),
    (answers) => answers.includes(true)
  )

const askAll = <Worker, A>(
  members: Iterable<Worker>,
  ask: (member: Worker) => Effect.Effect<A>
): Effect.Effect<ReadonlyArray<A>> => Effect.forEach(members, ask, { concurrency: "unbounded" })
