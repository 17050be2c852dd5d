/**
 * What the variables of OpenTelemetry say.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as OtlpVariables from "../../src/cli/OtlpVariables.ts"

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" }

const exported = (environment: Record<string, string>) =>
  Effect.map(OtlpVariables.read(environment), (otlp) =>
    otlp === undefined ? [] : (["metrics", "traces", "logs"] as const).filter((signal) => otlp[signal])
  )

describe("the variables of OpenTelemetry", () => {
  it.effect("say what is exported", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* exported({}), [])
      assert.deepStrictEqual(yield* exported({ OTEL_EXPORTER_OTLP_ENDPOINT: "" }), [])
      assert.deepStrictEqual(yield* exported(endpoint), ["metrics", "traces", "logs"])
      assert.deepStrictEqual(yield* exported({ ...endpoint, OTEL_SDK_DISABLED: "true" }), [])
      assert.deepStrictEqual(yield* exported({ ...endpoint, OTEL_LOGS_EXPORTER: "none" }), [
        "metrics",
        "traces"
      ])
      const traces = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://traces.example/v1/traces" }
      assert.deepStrictEqual(yield* exported(traces), ["traces"])
    })
  )

  it.effect("say how many sessions are traced", () =>
    Effect.gen(function* () {
      const sampling = (variables: Record<string, string>) =>
        Effect.map(OtlpVariables.read({ ...endpoint, ...variables }), (otlp) => otlp?.sampling)
      assert.strictEqual(yield* sampling({}), 1)
      assert.strictEqual(yield* sampling({ OTEL_TRACES_SAMPLER: "always_off" }), 0)
      const ratio = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.01" }
      assert.strictEqual(yield* sampling(ratio), 0.01)
    })
  )

  it.effect("have the program's name, unless they say another", () =>
    Effect.gen(function* () {
      const name = (variables: Record<string, string>) =>
        Effect.map(
          OtlpVariables.read({ ...endpoint, ...variables }),
          (otlp) => otlp?.variables.OTEL_SERVICE_NAME
        )
      assert.strictEqual(yield* name({}), "effect-socks")
      assert.strictEqual(yield* name({ OTEL_SERVICE_NAME: "proxy" }), "proxy")
      assert.strictEqual(yield* name({ OTEL_RESOURCE_ATTRIBUTES: "service.name=edge" }), undefined)
    })
  )

  it.effect("are refused with their names if they cannot be used", () =>
    Effect.gen(function* () {
      const { message } = yield* Effect.flip(
        OtlpVariables.read({
          OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318",
          OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
          OTEL_EXPORTER_OTLP_HEADERS: "secret",
          OTEL_TRACES_SAMPLER: "some",
          OTEL_TRACES_SAMPLER_ARG: "2",
          OTEL_METRIC_EXPORT_INTERVAL: "10s",
          OTEL_RESOURCE_ATTRIBUTES: "test"
        })
      )
      assert.deepStrictEqual(message.split("\n"), [
        'OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" is not a URL of http: or https:',
        'OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" is not http/protobuf or http/json',
        "OTEL_EXPORTER_OTLP_HEADERS: the value is not headers such as api-key=KEY,tenant=NAME",
        'OTEL_TRACES_SAMPLER: "some" is not one of always_on, always_off, traceidratio, parentbased_always_on, ' +
          "parentbased_always_off, parentbased_traceidratio",
        'OTEL_TRACES_SAMPLER_ARG: "2" is not a number from 0 to 1',
        'OTEL_METRIC_EXPORT_INTERVAL: "10s" is not a whole number',
        'OTEL_RESOURCE_ATTRIBUTES: "test" is not attributes such as deployment.environment=test,region=eu'
      ])
    })
  )
})
