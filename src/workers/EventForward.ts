/**
 * A worker's events on their way to the primary: only those that somebody there listens to.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type * as Event from "../session/Event.ts"
import { Events, makeBuffer } from "../session/Events.ts"

/** To a worker: the kinds of events that somebody listens to now. */
export interface Interest {
  readonly _tag: "listen"
  readonly tags: ReadonlyArray<Event.Tag>
}

/** To the primary. */
export interface Happened {
  readonly _tag: "events"
  readonly events: ReadonlyArray<Event.Event>
}

/** A worker's line to the primary, as far as events go by it. */
interface Line {
  readonly welcome: { readonly tags: Interest["tags"] }
  /** Comes with the kinds that are listened to, each time that they have changed. */
  readonly listen: Effect.Effect<Interest["tags"]>
  readonly send: (message: Happened) => void
  /** Ends when all that was sent is on its way. */
  readonly flush: Effect.Effect<void>
}

/** Events that may wait until the primary takes them; what comes then is dropped and counted. */
const capacity = 4096

/** Forwards until it is released, and then what is left. */
export const layer = ({ welcome, listen: interest, send, flush }: Line): Layer.Layer<never, never, Events> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { listen } = yield* Events
      const parent = yield* Effect.scope
      const buffer = makeBuffer(capacity)
      /** Each kind that is listened to, until its scope is closed. */
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
      // Not more than the channel takes.
      yield* Effect.forkScoped(
        Effect.forever(Effect.flatMap(buffer.take, (events) => Effect.andThen(forward(events), flush)))
      )
    })
  )

/** What a service died of may be anything, and stays in the worker's log. */
const plain = (event: Event.Event): Event.Event =>
  "defect" in event ? Object.assign({ ...event }, { defect: undefined }) : event
