/**
 * The events of a server, and who listens to them: the log, and what an embedder, metrics or the primary of this
 * worker take from the stream. While nobody listens to a kind of event, nothing is made of it: each place that emits
 * one checks a field.
 */
import type * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Event from "./Event.ts"

/** Runs in the fiber of the event, which goes on when this ends: it must not wait. */
export type Listener<in E = Event.Event> = (event: E) => Effect.Effect<void>

/**
 * What happens in a server: sessions, decisions, logins, bans, reloads, as plain data.
 *
 * **When to use**
 *
 * Use `stream` for accounts and metrics: it holds up nobody, and counts what it had to drop. `listen` runs in the
 * fiber of the event, and must not wait.
 *
 * **Example** (Failed logins)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Events } from "effect-socks"
 *
 * const failedLogins = Effect.gen(function* () {
 *   const { stream } = yield* Events
 *   yield* Stream.runForEach(stream(["LoginFailed"]), (event) => Effect.log(event))
 * })
 * ```
 */
export class Events extends Context.Service<
  Events,
  {
    /** The listeners of each kind of event as one; undefined while nobody listens. */
    readonly to: { readonly [Tag in Event.Tag]: Listener<Event.Of<Tag>> | undefined }
    /** Tells the listeners of an event that there is already. */
    readonly emit: Listener
    /** Listens to these kinds of events, until the scope closes. */
    readonly listen: <const Tag extends Event.Tag>(
      tags: ReadonlyArray<Tag>,
      listener: Listener<Event.Of<Tag>>
    ) => Effect.Effect<void, never, Scope.Scope>
    /**
     * The events of these kinds from the time that it is run. Holds up nobody: where `capacity` events wait, 4096
     * unless said, what comes then is dropped and counted in an `EventsMissed` in their place.
     */
    readonly stream: <const Tag extends Exclude<Event.Tag, "EventsMissed">>(
      tags: ReadonlyArray<Tag>,
      options?: { readonly capacity?: number }
    ) => Stream.Stream<Event.Of<Tag> | Event.EventsMissed>
    /** Calls this with all kinds that somebody listens to, whenever they change, until the scope closes. */
    readonly onInterest: (
      changed: (tags: ReadonlyArray<Event.Tag>) => void
    ) => Effect.Effect<void, never, Scope.Scope>
  }
>()("effect-socks/session/Events") {
  /** Events of a server that nobody listens to yet. */
  static readonly layer: Layer.Layer<Events> = Layer.sync(Events, () => make())
}

/** Events that may wait in a stream. */
const defaultCapacity = 4096

const make = (): Events["Service"] => {
  const listeners = new Map<Event.Tag, ReadonlyArray<Listener<never>>>()
  const to: Record<string, Listener<never> | undefined> = {
    SessionBegun: undefined,
    SessionDecided: undefined,
    SessionConnected: undefined,
    SessionEnded: undefined,
    ClientTurnedAway: undefined,
    LoginSucceeded: undefined,
    LoginFailed: undefined,
    NetworkBanned: undefined,
    BanLifted: undefined,
    Reloaded: undefined,
    ReloadFailed: undefined,
    EventsMissed: undefined
  } satisfies Record<Event.Tag, undefined>
  const interested = new Set<(tags: ReadonlyArray<Event.Tag>) => void>()

  const change = (
    tags: ReadonlyArray<Event.Tag>,
    changed: (those: ReadonlyArray<Listener<never>>) => ReadonlyArray<Listener<never>>
  ) =>
    Effect.sync(() => {
      for (const tag of tags) {
        const those = changed(listeners.get(tag) ?? [])
        if (those.length === 0) listeners.delete(tag)
        else listeners.set(tag, those)
        to[tag] = together(those)
      }
      for (const tell of interested) tell([...listeners.keys()])
    })

  const listen: Events["Service"]["listen"] = (tags, listener) =>
    Effect.asVoid(
      Effect.acquireRelease(
        change(tags, (those) => [...those, listener as Listener<never>]),
        () => change(tags, (those) => those.filter((other) => other !== listener))
      )
    )

  return {
    to: to as Events["Service"]["to"],
    emit: (event) => to[event._tag]?.(event as never) ?? Effect.void,
    listen,
    stream: <Tag extends Exclude<Event.Tag, "EventsMissed">>(
      tags: ReadonlyArray<Tag>,
      { capacity = defaultCapacity } = {}
    ) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const buffer = makeBuffer<Event.Of<Tag> | Event.EventsMissed>(capacity)
          yield* listen(tags, buffer.put)
          yield* listen<"EventsMissed">(["EventsMissed"], buffer.put)
          return Stream.fromPull(Effect.succeed(buffer.take))
        })
      ),
    onInterest: (changed) =>
      Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => {
            interested.add(changed)
            changed([...listeners.keys()])
          }),
          () => Effect.sync(() => interested.delete(changed))
        )
      )
  }
}

const together = (those: ReadonlyArray<Listener<never>>): Listener<never> | undefined =>
  those.length < 2
    ? those[0]
    : (event) => Effect.forEach(those, (listener) => listener(event), { discard: true })

/** The events that wait for one reader. What comes while `capacity` wait is dropped and counted. */
export const makeBuffer = <E = Event.Event>(capacity: number) => {
  const filled = Latch.makeUnsafe()
  let waiting: Array<E | Event.EventsMissed> = []
  let missed = 0
  /** All that wait. What was dropped came after them. */
  const drain = (): ReadonlyArray<E | Event.EventsMissed> => {
    const events = waiting
    if (missed > 0) events.push({ _tag: "EventsMissed", count: missed })
    waiting = []
    missed = 0
    filled.closeUnsafe()
    return events
  }
  return {
    put: (event: E) =>
      Effect.sync(() => {
        if (waiting.length < capacity) waiting.push(event)
        else missed++
        filled.openUnsafe()
      }),
    drain,
    /** The same, as soon as there is one. */
    take: Effect.map(filled.await, () => drain() as Arr.NonEmptyReadonlyArray<E | Event.EventsMissed>)
  }
}
