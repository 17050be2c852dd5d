/**
 * The primary's side of its workers' events: the workers are told what somebody listens to here, and send nothing else.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Event from "../session/Event.ts"
import { Events } from "../session/Events.ts"
import type { Happened, Interest } from "./EventForward.ts"

/** A worker, as far as it is told what is listened to. */
export interface Teller {
  readonly send: (message: Interest) => void
}

export interface EventInterest<in Worker> {
  /** What the worker is to send from now on. */
  readonly enter: (worker: Worker) => { readonly tags: ReadonlyArray<Event.Tag> }
  readonly receive: (message: Happened) => void
  readonly remove: (worker: Worker) => void
}

export const make = Effect.fnUntraced(function* <Worker extends Teller>(): Effect.fn.Return<
  EventInterest<Worker>,
  never,
  Events | Scope.Scope
> {
  const { emit, onInterest } = yield* Events
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const workers = new Set<Worker>()
  let tags: ReadonlyArray<Event.Tag> = []
  yield* onInterest((next) => {
    tags = next
    for (const worker of workers) worker.send({ _tag: "listen", tags })
  })
  return {
    enter: (worker) => {
      workers.add(worker)
      return { tags }
    },
    receive: ({ events }) => void fork(Effect.forEach(events, emit, { discard: true })),
    remove: (worker) => void workers.delete(worker)
  }
})
