/**
 * What observes the server of the program: metrics, where the settings ask for them. Their code is loaded only then.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Observing } from "./Metering.ts"
import type * as Settings from "./Settings.ts"
import * as Setup from "./Setup.ts"

const nothing: Observing = {
  listener: Layer.empty,
  alone: Layer.empty,
  primary: Layer.empty,
  worker: Layer.empty,
  answering: () => Layer.empty
}

/** What observes a server with these settings. */
export const load = (read: Settings.Read): Effect.Effect<Observing> =>
  read.values.metrics
    ? Effect.flatMap(
        Effect.promise(() => import("./Metering.ts")),
        ({ make }) => Effect.provide(make, Setup.settings(read))
      )
    : Effect.succeed(nothing)
