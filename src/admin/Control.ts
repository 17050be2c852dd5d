/**
 * What the handlers of the API share: the server, the list of its sessions, and the traffic of the last minutes.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { RunningServer } from "../server/RunningServer.ts"
import * as History from "./History.ts"
import * as SessionList from "./SessionList.ts"

/** The server, as far as the API sees and steers it. */
export type Steered = Pick<
  RunningServer["Service"],
  "sessions" | "endSession" | "usersChanged" | "census" | "listeners" | "asksPassword"
>

export class Control extends Context.Service<
  Control,
  {
    readonly server: Steered
    readonly sessions: SessionList.SessionList
    readonly history: History.History
    /** Milliseconds since the epoch. */
    readonly startedAt: number
  }
>()("effect-socks/admin/Control") {
  static readonly layer = (server: Steered): Layer.Layer<Control> =>
    Layer.effect(
      Control,
      Effect.map(History.make(server.census), (history) => ({
        server,
        sessions: SessionList.make(server.sessions),
        history,
        startedAt: Date.now() - Math.round(process.uptime() * 1000)
      }))
    )
}
