/**
 * The service that passes the events of a server to listeners: to the log, and by streams to apps, metrics, or the
 * primary of a worker. Without a listener of a kind, no event of that kind is made: the code that emits events checks a
 * field first.
 */
import type * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Event from "./Event.ts"

/** A listener. Runs in the fiber that emits the event, which waits for the listener: a listener must not wait. */
export type Listener<in E = Event.Event> = (event: E) => Effect.Effect<void>

/**
 * The events of a server as plain data: sessions, decisions, logins, bans, upstreams, reloads.
 *
 * **When to use**
 *
 * Use `stream` for accounts and metrics: a stream never delays a session, and counts the events that it drops. A
 * listener of `listen` runs in the fiber of the event, and must not wait.
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
    /** One listener for each kind of event, which calls all listeners; undefined while there are none. */
    readonly to: { readonly [Tag in Event.Tag]: Listener<Event.Of<Tag>> | undefined }
    /** Passes an event to its listeners. */
    readonly emit: Listener
    /** Listens to these kinds of events, until the scope closes. */
    readonly listen: <const Tag extends Event.Tag>(
      tags: ReadonlyArray<Tag>,
      listener: Listener<Event.Of<Tag>>
    ) => Effect.Effect<void, never, Scope.Scope>
    /**
     * The events of these kinds, or of all kinds, from the time that the stream is run. A stream never delays a session:
     * while `capacity` events wait, 4096 by default, further events are dropped and counted in an `EventsMissed`.
     */
    readonly stream: <const Tag extends Exclude<Event.Tag, "EventsMissed">>(
      tags?: ReadonlyArray<Tag>,
      options?: { readonly capacity?: number }
    ) => Stream.Stream<Event.Of<Tag> | Event.EventsMissed>
    /** Calls `changed` with all kinds that have listeners: now, and at each change, until the scope closes. */
    readonly onInterest: (
      changed: (tags: ReadonlyArray<Event.Tag>) => void
    ) => Effect.Effect<void, never, Scope.Scope>
  }
>()("effect-socks/session/Events") {
  /** Begins without listeners. */
  static readonly layer: Layer.Layer<Events> = Layer.sync(Events, () => make())
}

/** The most waiting events of a stream. */
const defaultCapacity = 4096

const make = (): Events["Service"] => {
  const listeners = new Map<Event.Tag, ReadonlyArray<Listener<never>>>()
  const to: Record<string, Listener<never> | undefined> = {
    SessionBegun: undefined,
    SessionDecided: undefined,
    TargetDenied: undefined,
    SessionConnected: undefined,
    SessionEnded: undefined,
    ClientTurnedAway: undefined,
    LoginSucceeded: undefined,
    LoginFailed: undefined,
    NetworkBanned: undefined,
    BanLifted: undefined,
    UpstreamFailed: undefined,
    UpstreamChanged: undefined,
    Reloaded: undefined,
    ReloadFailed: undefined,
    EventsMissed: undefined
  } satisfies Record<Event.Tag, undefined>
  const everyTag = (Object.keys(to) as Array<Event.Tag>).filter((tag) => tag !== "EventsMissed")
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
        to[tag] = combined(those)
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
      tags: ReadonlyArray<Tag> = everyTag as ReadonlyArray<string> as ReadonlyArray<Tag>,
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

const combined = (those: ReadonlyArray<Listener<never>>): Listener<never> | undefined =>
  those.length < 2
    ? those[0]
    : // Cheaper than `forEach`: every session has such an event.
      (event) => those.map((listener) => listener(event)).reduce((all, next) => Effect.andThen(all, next))

/** The waiting events of one reader. While `capacity` events wait, further events are dropped and counted. */
export const makeBuffer = <E = Event.Event>(capacity: number) => {
  const filled = Latch.makeUnsafe()
  let waiting: Array<E | Event.EventsMissed> = []
  let missed = 0
  /** Takes all waiting events, with an `EventsMissed` at the end if events were dropped. */
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
    /** Waits for an event, and then takes all waiting events. */
    take: Effect.map(filled.await, () => drain() as Arr.NonEmptyReadonlyArray<E | Event.EventsMissed>)
  }
}
