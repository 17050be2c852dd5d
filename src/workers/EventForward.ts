/**
 * Sends a worker's events to the primary: only those of the kinds that have a listener there.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type * as Event from "../session/Event.ts"
import { Events, makeBuffer } from "../session/Events.ts"

/** To a worker: the kinds of events that have a listener now. */
export interface Interest {
  readonly _tag: "listen"
  readonly tags: ReadonlyArray<Event.Tag>
}

/** To the primary. */
export interface Happened {
  readonly _tag: "events"
  readonly events: ReadonlyArray<Event.Event>
}

/** A worker's channel to the primary, as far as it is for events. */
interface Line {
  readonly welcome: { readonly tags: Interest["tags"] }
  /** Completes with the kinds that have a listener, each time that these have changed. */
  readonly listen: Effect.Effect<Interest["tags"]>
  readonly send: (message: Happened) => void
  /** Completes when the system has taken all messages. */
  readonly flush: Effect.Effect<void>
}

/** Number of events that may wait for the primary. Further events are dropped and counted. */
const capacity = 4096

/** Forwards events until the layer is released, and then those that are left. */
export const layer = ({ welcome, listen: interest, send, flush }: Line): Layer.Layer<never, never, Events> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { listen } = yield* Events
      const parent = yield* Effect.scope
      const buffer = makeBuffer(capacity)
      /** The scope of each kind that is forwarded. */
      const open = new Map<Event.Tag, Scope.Closeable>()

      const change = Effect.fnUntraced(function* (tags: ReadonlyArray<Event.Tag>) {
        for (const tag of tags) {
          if (open.has(tag)) continue
          const scope = Scope.forkUnsafe(parent)
          open.set(tag, scope)
          yield* Scope.provide(listen([tag], buffer.put), scope)
        }
        for (const [tag, scope] of open) {
          if (tags.includes(tag)) continue
          open.delete(tag)
          yield* Scope.close(scope, Exit.void)
        }
      })
      const forward = (events: ReadonlyArray<Event.Event>) =>
        Effect.sync(() => {
          if (events.length > 0) send({ _tag: "events", events: events.map(plain) })
        })

      yield* Effect.addFinalizer(() => Effect.suspend(() => forward(buffer.drain())))
      yield* change(welcome.tags)
      yield* Effect.forkScoped(Effect.forever(Effect.flatMap(interest, change)))
      // No more events than the channel takes.
      yield* Effect.forkScoped(
        Effect.forever(Effect.flatMap(buffer.take, (events) => Effect.andThen(forward(events), flush)))
      )
    })
  )

/** A defect of a service can be any value. It stays in the worker's log. */
const plain = (event: Event.Event): Event.Event =>
  "defect" in event ? Object.assign({ ...event }, { defect: undefined }) : event
