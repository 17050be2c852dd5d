/**
 * The primary's side of its workers' events: tells the workers which kinds have a listener here. The workers send no
 * others.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Event from "../session/Event.ts"
import { Events } from "../session/Events.ts"
import type { Happened, Interest } from "./EventForward.ts"

/** A worker, as far as it is told which kinds have a listener. */
export interface Subscriber {
  readonly send: (message: Interest) => void
}

export interface EventInterest<in Worker> {
  /** Adds a worker. Returns the kinds that the worker sends from now on. */
  readonly enter: (worker: Worker) => { readonly tags: ReadonlyArray<Event.Tag> }
  readonly receive: (message: Happened) => void
  readonly remove: (worker: Worker) => void
}

export const make = Effect.fnUntraced(function* <Worker extends Subscriber>(): Effect.fn.Return<
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
