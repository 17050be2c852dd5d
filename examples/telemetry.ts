/**
 * Metrics and spans of a proxy, in the layers of the app: here by OTLP to a collector, one session in a hundred with a
 * span. Any other `Tracer` and any other exporter of Effect's metrics gets the same.
 */
import { Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"
import { Server, type ServerOptions, SessionSampling } from "effect-socks"

/** Where the app's own metrics, spans and logs go. */
const telemetry = (baseUrl: string) =>
  Otlp.layerJson({ baseUrl, resource: { serviceName: "my-app" } }).pipe(Layer.provide(FetchHttpClient.layer))

export const proxy = (collector: string, options: ServerOptions = {}, sampling = 0.01) =>
  Server.layer({ ...options, metrics: true }).pipe(
    Layer.provide(Layer.succeed(SessionSampling, sampling)),
    Layer.provide(telemetry(collector))
  )
