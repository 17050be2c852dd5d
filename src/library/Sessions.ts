/**
 * The sessions of a server in an app.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"
import type { Ending } from "../network/Relay.ts"
import { RunningServer } from "../server/RunningServer.ts"
import type * as Event from "../session/Event.ts"
import { Events } from "../session/Events.ts"
import type { SessionSnapshot } from "../session/SessionSnapshot.ts"

/**
 * The sessions of a server: lists them, ends one, and emits their events.
 *
 * **When to use**
 *
 * Use it for an admin page, or for a limit of your own. `list` is plain data; `end` resets both sides of a session;
 * `events` drops events that are not read in time, and counts them.
 *
 * **Example** (Ending the sessions of a user)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Sessions } from "effect-socks"
 *
 * const endAllOf = Effect.fnUntraced(function* (user: string) {
 *   const { list, end } = yield* Sessions
 *   for (const session of yield* list) if (session.user === user) yield* end(session.id, "denied")
 * })
 * ```
 */
export class Sessions extends Context.Service<
  Sessions,
  {
    /** The open sessions, as plain data. */
    readonly list: Effect.Effect<ReadonlyArray<SessionSnapshot>>
    /**
     * Ends the session with this number, by resetting both its sides. `reason` is the outcome in the log and in
     * `SessionEnded`, "ended by operator" by default. Returns false if no such session is open.
     */
    readonly end: (id: number, reason?: Ending) => Effect.Effect<boolean>
    /** The events of sessions from the time that the stream is run: begun, connected, ended. See `Events.stream`. */
    readonly events: Stream.Stream<
      Event.SessionBegun | Event.SessionConnected | Event.SessionEnded | Event.EventsMissed
    >
  }
>()("effect-socks/library/Sessions") {
  static readonly layer: Layer.Layer<Sessions, never, RunningServer | Events> = Layer.effect(
    Sessions,
    Effect.gen(function* () {
      const { sessions, endSession } = yield* RunningServer
      const { stream } = yield* Events
      return {
        list: sessions,
        end: endSession,
        events: stream(["SessionBegun", "SessionConnected", "SessionEnded"])
      }
    })
  )
}
