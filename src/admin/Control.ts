/**
 * What the handlers of the API share: the list of sessions, and the traffic of the last minutes.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RunningServer } from "../server/RunningServer.ts"
import * as History from "./History.ts"
import * as SessionList from "./SessionList.ts"

export class Control extends Context.Service<
  Control,
  {
    readonly sessions: SessionList.SessionList
    readonly history: History.History
    /** Milliseconds since the epoch. */
    readonly startedAt: number
  }
>()("effect-socks/admin/Control") {
  static readonly layer: Layer.Layer<Control, never, RunningServer> = Layer.effect(
    Control,
    Effect.gen(function* () {
      const { sessions, census } = yield* RunningServer
      return {
        sessions: SessionList.make(sessions),
        history: yield* History.make(census),
        startedAt: Date.now() - Math.round(process.uptime() * 1000)
      }
    })
  )
}
