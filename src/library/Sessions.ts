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
 * The sessions of a server: a list of them, an end to one of them, and what happens to them.
 *
 * **When to use**
 *
 * Use it for an admin page or an own limit. `list` is plain data of this moment; `end` resets both sides of a
 * session; `events` drops what is not read in time and counts it.
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
    /** The sessions there are, as plain data. */
    readonly list: Effect.Effect<ReadonlyArray<SessionSnapshot>>
    /**
     * Breaks off the session with this number, and resets both its sides. The reason is the outcome in the log and in
     * `SessionEnded`; "ended by operator" if left out. Says whether there was such a session.
     */
    readonly end: (id: number, reason?: Ending) => Effect.Effect<boolean>
    /** What happens to sessions from the time that the stream is run: begun, connected, ended. See `Events.stream`. */
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
