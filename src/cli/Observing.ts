/**
 * What observes the server of the program: metrics, where the settings ask for them, and the export of metrics, traces
 * and logs, where the variables of OpenTelemetry ask for it. The code of each is loaded only then.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { BadSettings } from "../Errors.ts"
import type { Observing } from "./Metering.ts"
import * as OtlpVariables from "./OtlpVariables.ts"
import type * as Settings from "./Settings.ts"
import * as Setup from "./Setup.ts"

const nothing: Observing = {
  listener: Layer.empty,
  alone: Layer.empty,
  primary: Layer.empty,
  worker: Layer.empty,
  answering: () => Layer.empty
}

/** The layers that observe a server, and `around`, which the server and its log are built in. */
export interface Observed extends Observing {
  readonly around: Layer.Layer<never>
}

/** What observes a server with these settings, in this environment. */
export const load = Effect.fnUntraced(function* (
  read: Settings.Read
): Effect.fn.Return<Observed, BadSettings> {
  const otlp = yield* OtlpVariables.read(process.env)
  const observing =
    read.values.metrics || read.values.admin !== undefined || otlp?.metrics
      ? yield* Effect.flatMap(
          Effect.promise(() => import("./Metering.ts")),
          ({ make }) => Effect.provide(make, Setup.settings(read))
        )
      : nothing
  const around = otlp
    ? Effect.map(
        Effect.promise(() => import("./OtlpExport.ts")),
        ({ layer }) => layer(otlp)
      )
    : Effect.succeed(Layer.empty)
  return { ...observing, around: yield* around }
})
