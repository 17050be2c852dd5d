/**
 * What the handlers of the API share: the server, the list of its sessions, the traffic of the last minutes, and the
 * streams of events.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { RunningServer } from "../server/RunningServer.ts"
import { Events } from "../session/Events.ts"
import * as EventHub from "./EventHub.ts"
import * as History from "./History.ts"
import * as SessionList from "./SessionList.ts"

/** The server, as far as the API sees and steers it. */
export type Steered = Pick<
  RunningServer["Service"],
  "sessions" | "endSession" | "usersChanged" | "upstreams" | "census" | "listeners" | "asksPassword"
>

export class Control extends Context.Service<
  Control,
  {
    readonly server: Steered
    readonly sessions: SessionList.SessionList
    readonly history: History.History
    readonly hub: EventHub.EventHub
    /** Milliseconds since the epoch. */
    readonly startedAt: number
  }
>()("effect-socks/admin/Control") {
  static readonly layer = (server: Steered): Layer.Layer<Control, never, Events> =>
    Layer.effect(
      Control,
      Effect.gen(function* () {
        return {
          server,
          sessions: SessionList.make(server.sessions),
          history: yield* History.make(server.census),
          hub: yield* EventHub.make(yield* Events),
          startedAt: Date.now() - Math.round(process.uptime() * 1000)
        }
      })
    )
}
