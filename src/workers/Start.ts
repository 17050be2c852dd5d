/**
 * The start of all workers: it is done when all of them serve, and fails with the
 * first that cannot.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Refusal } from "../server/RunningServer.ts"
import type { Open, WorkerFault } from "./Messages.ts"

export interface Start {
  /** Where workers listen, by the last worker that reported it. */
  open: Open
  /** Takes note that one more worker serves. */
  readonly advance: () => void
  readonly fail: (error: Refusal | WorkerFault) => void
  /** Completes when all workers serve. Fails if one of them cannot. */
  readonly done: Effect.Effect<void, Refusal>
  /** Ends the start: a worker that fails from now on ends alone. */
  readonly finish: () => void
  readonly isFinished: boolean
}

/** `isComplete` tells whether all workers serve. */
export const make = (isComplete: () => boolean): Start => {
  const started = Deferred.makeUnsafe<void, Refusal | WorkerFault>()
  let isSettled = false
  return {
    open: { addresses: [], asksPassword: false },
    advance: () => {
      if (isComplete()) Deferred.doneUnsafe(started, Exit.void)
    },
    fail: (error) => void Deferred.doneUnsafe(started, Exit.fail(error)),
    done: Effect.catchTag(Deferred.await(started), "WorkerFault", Effect.die),
    finish: () => {
      isSettled = true
    },
    get isFinished() {
      return isSettled
    }
  }
}
