/**
 * The environment variables `OTEL_…` of OpenTelemetry: whether and where metrics, traces and logs are exported.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables
 */
import * as Effect from "effect/Effect"
import { BadSetting, BadSettings } from "../Errors.ts"
import { printable } from "../wire/Text.ts"

/** What is exported. */
export interface Otlp {
  readonly metrics: boolean
  readonly traces: boolean
  readonly logs: boolean
  /** How the messages are written. */
  readonly protocol: "http/protobuf" | "http/json"
  /** The part of sessions that are traced, from 0 to 1. */
  readonly sampling: number
  /** The variables, without empty ones and with defaults. */
  readonly variables: Readonly<Record<string, string>>
}

const signals = ["metrics", "traces", "logs"] as const

type Environment = Readonly<Record<string, string | undefined>>

/** Undefined where nothing is exported. Fails with all variables that cannot be used. */
export const read = (environment: Environment): Effect.Effect<Otlp | undefined, BadSettings> => {
  const given = Object.fromEntries(
    // An empty variable is as one that is not set.
    Object.entries(environment).filter(
      (entry): entry is [string, string] =>
        entry[0].startsWith("OTEL_") && entry[1] !== undefined && entry[1] !== ""
    )
  )
  if (given.OTEL_SDK_DISABLED?.toLowerCase() === "true") return Effect.succeed(undefined)
  const isExported = (signal: (typeof signals)[number]) => {
    const name = signal.toUpperCase()
    const hasPlace = ["OTEL_EXPORTER_OTLP_ENDPOINT", `OTEL_EXPORTER_OTLP_${name}_ENDPOINT`].some(
      (variable) => given[variable] !== undefined
    )
    return hasPlace && (given[`OTEL_${name}_EXPORTER`] ?? "otlp").toLowerCase() === "otlp"
  }
  const exported = Object.fromEntries(signals.map((signal) => [signal, isExported(signal)])) as Record<
    (typeof signals)[number],
    boolean
  >
  if (!signals.some((signal) => exported[signal])) return Effect.succeed(undefined)
  const [first, ...others] = wrong(given)
  if (first) return Effect.fail(new BadSettings({ errors: [first, ...others] }))
  return Effect.succeed({
    ...exported,
    protocol: given.OTEL_EXPORTER_OTLP_PROTOCOL === "http/json" ? "http/json" : "http/protobuf",
    sampling: samplingOf(given),
    variables: { ...(isNamed(given) ? {} : { OTEL_SERVICE_NAME: "effect-socks" }), ...defaults, ...given }
  })
}

const isNamed = ({ OTEL_RESOURCE_ATTRIBUTES = "" }: Environment): boolean =>
  /(^|,)\s*service\.name\s*=/.test(OTEL_RESOURCE_ATTRIBUTES)

/** The defaults of OpenTelemetry, which Effect's exporters do not have. */
const defaults = {
  OTEL_METRICS_EXPORTER: "otlp",
  OTEL_TRACES_EXPORTER: "otlp",
  OTEL_LOGS_EXPORTER: "otlp"
}

const samplers: Readonly<Record<string, (part: number) => number>> = {
  always_on: () => 1,
  always_off: () => 0,
  traceidratio: (part) => part,
  // A session has no parent.
  parentbased_always_on: () => 1,
  parentbased_always_off: () => 0,
  parentbased_traceidratio: (part) => part
}

const samplingOf = ({
  OTEL_TRACES_SAMPLER: sampler = "parentbased_always_on",
  OTEL_TRACES_SAMPLER_ARG: part = "1"
}: Environment): number => samplers[sampler]?.(Number(part)) ?? 1

const isUrl = (text: string) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)

/** How each variable has to be. */
const forms: ReadonlyArray<readonly [name: RegExp, isRight: (text: string) => boolean, expected: string]> = [
  [/^OTEL_EXPORTER_OTLP_(\w+_)?ENDPOINT$/, isUrl, "a URL of http: or https:"],
  [
    /^OTEL_EXPORTER_OTLP_(\w+_)?PROTOCOL$/,
    (text) => text === "http/protobuf" || text === "http/json",
    "http/protobuf or http/json"
  ],
  [/^OTEL_EXPORTER_OTLP_(\w+_)?COMPRESSION$/, (text) => text === "gzip" || text === "none", "gzip or none"],
  [
    /^OTEL_EXPORTER_OTLP_(\w+_)?HEADERS$/,
    (text) => text.split(",").every((pair) => /^\s*[^=\s]+\s*=/.test(pair)),
    "headers such as api-key=KEY,tenant=NAME"
  ],
  [
    /^OTEL_RESOURCE_ATTRIBUTES$/,
    (text) => text.split(",").every((pair) => /^\s*[^=\s]+\s*=/.test(pair)),
    "attributes such as deployment.environment=test,region=eu"
  ],
  [
    /^OTEL_(EXPORTER_OTLP_(\w+_)?TIMEOUT|METRIC_EXPORT_\w+|B(S|LR)P_\w+)$/,
    (text) => /^\d{1,9}$/.test(text),
    "a whole number"
  ],
  [
    /^OTEL_TRACES_SAMPLER$/,
    (text) => Object.hasOwn(samplers, text),
    `one of ${Object.keys(samplers).join(", ")}`
  ],
  [/^OTEL_TRACES_SAMPLER_ARG$/, (text) => Number(text) >= 0 && Number(text) <= 1, "a number from 0 to 1"]
]

const wrong = (given: Readonly<Record<string, string>>): ReadonlyArray<BadSetting> =>
  Object.entries(given).flatMap(([name, text]) =>
    forms
      .filter(([pattern, isRight]) => pattern.test(name) && !isRight(text))
      .map(([, , expected]) => {
        // Headers are secrets.
        const value = name.endsWith("HEADERS") ? "the value" : `"${printable(text)}"`
        return new BadSetting({ setting: name, value, expected })
      })
  )
