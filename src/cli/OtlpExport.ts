/**
 * The export of metrics, traces and logs by OTLP. Loaded only where the variables of OpenTelemetry ask for it.
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Otlp from "effect/observability/Otlp"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import * as HttpClient from "../base/HttpClient.ts"
import * as Log from "../server/Log.ts"
import { SessionSampling } from "../session/SessionSpan.ts"
import type * as OtlpVariables from "./OtlpVariables.ts"

/** Exports until the layer is released, and then the rest. Each process is an instance of the service. */
export const layer = (otlp: OtlpVariables.Otlp): Layer.Layer<never> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const exporters = Otlp.layerFromConfig({
        resource: {
          attributes: { "service.instance.id": crypto.randomUUID(), "process.pid": process.pid }
        },
        loggerExcludeLogSpans: true,
        loggerMergeWithExisting: false
      }).pipe(
        Layer.provide([
          HttpClient.layer(timeoutOf(otlp)),
          otlp.protocol === "http/json" ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf,
          ConfigProvider.layer(ConfigProvider.fromEnv({ env: otlp.variables }))
        ])
      )
      const built = (yield* Layer.build(exporters)) as Context.Context<never>
      const loggers = yield* Logger.CurrentLoggers
      return Context.make(SessionSampling, otlp.sampling).pipe(
        Context.add(
          Logger.CurrentLoggers,
          otlp.logs
            ? new Set([...loggers, ...Array.from(Context.get(built, Logger.CurrentLoggers), withFields)])
            : loggers
        ),
        // Without a tracer there are no spans.
        (context) =>
          otlp.traces && otlp.sampling > 0
            ? Context.add(context, Tracer.Tracer, Context.get(built, Tracer.Tracer))
            : context
      )
    })
  )

/** How long a collector may take for its answer: 10 seconds by default, as OpenTelemetry says, and 0 for any time. */
const timeoutOf = ({ variables: { OTEL_EXPORTER_OTLP_TIMEOUT = "10000" } }: OtlpVariables.Otlp) =>
  Duration.millis(Number(OTEL_EXPORTER_OTLP_TIMEOUT) || Number.POSITIVE_INFINITY)

/** The fields of a log line as attributes of the record. Effect's logger has attributes of annotations only. */
const withFields = (logger: Logger.Logger<unknown, unknown>): Logger.Logger<unknown, unknown> =>
  Logger.make((options) => {
    const { text, fields } = Log.parts(options.message)
    const { fiber } = options
    const annotated = Object.create(fiber, {
      getRef: {
        value: <A>(reference: Context.Reference<A>) =>
          (reference as unknown) === References.CurrentLogAnnotations
            ? { ...fiber.getRef(References.CurrentLogAnnotations), ...fields }
            : fiber.getRef(reference)
      }
    })
    return logger.log({ ...options, fiber: annotated, message: text })
  })
