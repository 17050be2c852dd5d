/**
 * Changes to other settings that workers were told to make, and their answers.
 *
 * A worker makes one after the other, and answers in that order. One that took
 * another's place while the settings changed can be at a change when the next
 * one comes.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { Refusal } from "../server/Server.ts"
import type { Texts, WorkerFault } from "./Messages.ts"

/** Why a worker did not change; "gone" if it is no more. */
export type Problem = Refusal | WorkerFault | "gone"

/** A worker, as far as it is told to change. */
export interface Changeable {
  readonly send: (message: { readonly _tag: "reload"; readonly texts: Texts }) => void
  readonly kill: () => void
}

export interface PendingReloads<in Worker> {
  /** Tells it to change, and waits for the answer. One that does not give any is killed. */
  readonly ask: (worker: Worker, texts: Texts) => Effect.Effect<void, Problem>
  /** What came of its oldest change. Returns what that was to; nothing, if it was told of none. */
  readonly answer: (worker: Worker, exit: Exit.Exit<void, Problem>) => Texts | undefined
  /** Whether it has yet to answer. */
  readonly isAsked: (worker: Worker) => boolean
  /** It is no more. */
  readonly remove: (worker: Worker) => void
}

interface Change {
  readonly texts: Texts
  readonly answer: Deferred.Deferred<void, Problem>
}

/** How long a worker may take. */
const patience = "30 seconds"

export const make = <Worker extends Changeable>(): PendingReloads<Worker> => {
  /** Of each worker, the oldest first. */
  const asked = new Map<Worker, ReadonlyArray<Change>>()
  return {
    ask: (worker, texts) =>
      Effect.suspend(() => {
        const answer = Deferred.makeUnsafe<void, Problem>()
        asked.set(worker, [...(asked.get(worker) ?? []), { texts, answer }])
        worker.send({ _tag: "reload", texts })
        // One that does not even answer holds up nobody.
        return Effect.timeoutOrElse(Deferred.await(answer), {
          duration: patience,
          orElse: () => {
            worker.kill()
            return Effect.fail("gone" as const)
          }
        })
      }),
    answer: (worker, exit) => {
      const [change, ...later] = asked.get(worker) ?? []
      if (later.length > 0) asked.set(worker, later)
      else asked.delete(worker)
      if (change) Deferred.doneUnsafe(change.answer, exit)
      return change?.texts
    },
    isAsked: (worker) => asked.has(worker),
    remove: (worker) => {
      const changes = asked.get(worker) ?? []
      asked.delete(worker)
      for (const { answer } of changes) Deferred.doneUnsafe(answer, Effect.fail("gone" as const))
    }
  }
}
