/**
 * Changes of users that the primary has made: it has every worker read the users file, and end the sessions of those who
 * may no longer log in.
 */
import * as Effect from "effect/Effect"
import * as Requests from "../base/Requests.ts"

/** To a worker: the users have changed, and these may no longer log in. */
export interface UsersChanged {
  readonly _tag: "usersChanged"
  readonly id: number
  readonly revoked: ReadonlyArray<string>
}

/** The answer: why the worker keeps its earlier users, if it does. */
export interface UsersTaken {
  readonly _tag: "usersTaken"
  readonly id: number
  readonly problems: ReadonlyArray<string>
}

/** A worker, as far as changes of users are concerned. */
interface Told {
  readonly pid: number
  readonly send: (message: UsersChanged) => void
}

export interface UserChanges<in Worker> {
  /** Adds a worker that begins to start: it may read the file before a change, and serve after it. */
  readonly add: (worker: Worker) => void
  readonly receive: (worker: Worker, message: UsersTaken) => void
  readonly remove: (worker: Worker) => void
  /** Completes when all workers have the users, or the reasons why one of them has not. */
  readonly tell: (revoked: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>>
}

export const make = <Worker extends Told>(): UserChanges<Worker> => {
  const requests = Requests.make<Worker, ReadonlyArray<string>>("5 seconds")
  const workers = new Set<Worker>()
  return {
    add: (worker) => void workers.add(worker),
    receive: (worker, { id, problems }) => void requests.answer(worker, id, problems),
    remove: (worker) => {
      workers.delete(worker)
      requests.remove(worker)
    },
    tell: (revoked) =>
      Effect.map(
        Effect.forEach(
          [...workers],
          (worker) =>
            requests
              .ask(worker, (id) => worker.send({ _tag: "usersChanged", id, revoked }))
              .pipe(
                Effect.catch((problem) =>
                  // A process that has ended has no sessions.
                  Effect.succeed(problem === "gone" ? [] : [`worker ${worker.pid} does not answer`])
                )
              ),
          { concurrency: "unbounded" }
        ),
        (all) => [...new Set(all.flat())]
      )
  }
}
