/**
 * Metrics, traces and logs at a collector of OpenTelemetry.
 */
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { proxy } from "../../examples/telemetry.ts"
import { Server } from "../../src/index.ts"
import * as Program from "../support/program.ts"
import * as Tcp from "../support/tcp.ts"
import { directory } from "../support/temporary.ts"
import { until } from "../support/until.ts"
import * as Workers from "../support/workers.ts"

interface Attribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

/** One message of an exporter. */
interface Message {
  readonly headers: Readonly<Record<string, string>>
  readonly resourceSpans?: ReadonlyArray<{
    readonly resource: Resource
    readonly scopeSpans: readonly [{ readonly spans: ReadonlyArray<Span> }]
  }>
  readonly resourceLogs?: ReadonlyArray<{
    readonly resource: Resource
    readonly scopeLogs: readonly [{ readonly logRecords: ReadonlyArray<LogRecord> }]
  }>
  readonly resourceMetrics?: ReadonlyArray<{
    readonly resource: Resource
    readonly scopeMetrics: readonly [{ readonly metrics: ReadonlyArray<Exported> }]
  }>
}

interface Resource {
  readonly attributes: ReadonlyArray<Attribute>
}

interface Span {
  readonly name: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly attributes: ReadonlyArray<Attribute>
}

interface LogRecord {
  readonly body: { readonly stringValue: string }
  readonly attributes: ReadonlyArray<Attribute>
}

interface Exported {
  readonly name: string
  readonly sum?: {
    readonly dataPoints: ReadonlyArray<{
      readonly asDouble: number
      readonly attributes: ReadonlyArray<Attribute>
    }>
  }
}

/** A collector, with all that it got as JSON. */
const collector = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly got: ReadonlyArray<Message>; readonly close: () => void }>(
    (resume) => {
      const got: Array<Message> = []
      const server = createServer(async (request, response) => {
        const body = Buffer.concat(await request.toArray()).toString()
        got.push({ headers: request.headers, ...JSON.parse(body) })
        response.end("{}")
      }).listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const close = () => void server.close().closeAllConnections()
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, got, close }))
      })
    }
  ),
  ({ close }) => Effect.sync(close)
)

const environment = (url: string) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  OTEL_EXPORTER_OTLP_HEADERS: "api-key=secret",
  OTEL_SERVICE_NAME: "proxy",
  OTEL_RESOURCE_ATTRIBUTES: "region=eu",
  OTEL_METRIC_EXPORT_INTERVAL: "200",
  OTEL_BSP_SCHEDULE_DELAY: "100"
})

const attribute = (attributes: ReadonlyArray<Attribute>, key: string) => {
  const value = attributes.find((one) => one.key === key)?.value
  return value && Object.values(value)[0]
}

/** What was exported, of each process by itself. */
const exportedBy = (got: ReadonlyArray<Message>) => {
  const spans: Array<Span & { readonly instance: unknown }> = []
  const logs: Array<LogRecord> = []
  /** The last metrics of each process. */
  const metrics = new Map<unknown, ReadonlyArray<Exported>>()
  for (const { resourceSpans = [], resourceLogs = [], resourceMetrics = [] } of got) {
    for (const { resource, scopeSpans } of resourceSpans) {
      const instance = attribute(resource.attributes, "service.instance.id")
      spans.push(...scopeSpans[0].spans.map((span) => ({ ...span, instance })))
    }
    for (const { scopeLogs } of resourceLogs) logs.push(...scopeLogs[0].logRecords)
    for (const { resource, scopeMetrics } of resourceMetrics) {
      metrics.set(attribute(resource.attributes, "service.instance.id"), scopeMetrics[0].metrics)
    }
  }
  const count = (name: string) =>
    [...metrics.values()]
      .flat()
      .filter((metric) => metric.name === name)
      .flatMap(({ sum }) => sum?.dataPoints ?? [])
      .reduce((sum, { asDouble }) => sum + asDouble, 0)
  return { spans, logs, count, instances: metrics.size }
}

it.live("exports metrics, spans and logs", () =>
  Effect.gen(function* () {
    const { url, got } = yield* collector
    // With a store of usage, whose statements are no spans.
    const flags = ["--user", "alice:secret", "--state-dir", yield* directory]
    const program = yield* Program.start(flags, { env: environment(url) })
    const target = yield* Tcp.target
    const { client, origin } = yield* Tcp.sessionOf("alice", program.port, target)
    yield* Effect.andThen(client.end, origin.end)
    yield* program.logged({ message: "session" })
    assert.strictEqual((yield* program.stop).code, 0)

    const { spans, logs, count } = exportedBy(got)
    const [session, ...others] = spans.filter(({ parentSpanId }) => parentSpanId === undefined)
    assert.deepStrictEqual([session?.name, others], ["session", []])
    assert.strictEqual(attribute(session!.attributes, "user"), "alice")
    assert.deepStrictEqual(
      spans
        .filter(({ parentSpanId }) => parentSpanId === session?.spanId)
        .map(({ name }) => name)
        .sort(),
      ["decide", "dial", "handshake", "relay"]
    )
    // The last session of a server that stops is counted, too.
    assert.strictEqual(count("effect_socks_sessions_ended_total"), 1)
    const record = logs.find(({ body }) => body.stringValue === "session")
    assert.strictEqual(attribute(record!.attributes, "outcome"), "finished")
    assert.isTrue(got.every(({ headers }) => headers["api-key"] === "secret"))
    for (const { resource } of got.flatMap(({ resourceSpans = [] }) => resourceSpans)) {
      assert.strictEqual(attribute(resource.attributes, "service.name"), "proxy")
      assert.strictEqual(attribute(resource.attributes, "region"), "eu")
    }
  }).pipe(Effect.scoped)
)

it.live("exports those of each worker", () =>
  Effect.gen(function* () {
    const { url, got } = yield* collector
    const program = yield* Workers.start([], { env: environment(url) })
    const all = yield* Workers.sessions(program.port, yield* program.pids)
    for (const { client, origin } of all) yield* Effect.andThen(client.end, origin.end)
    yield* program.logged({ message: "session" }, all.length)
    assert.strictEqual((yield* program.stop).code, 0)

    const { spans, count, instances } = exportedBy(got)
    const sessions = spans.filter(({ name }) => name === "session")
    assert.strictEqual(sessions.length, all.length)
    assert.strictEqual(new Set(sessions.map(({ instance }) => instance)).size, 2)
    assert.strictEqual(count("effect_socks_sessions_ended_total"), all.length)
    assert.strictEqual(instances, 3)
  }).pipe(Effect.scoped)
)

it.live("ends a request that a collector does not answer, or not to its end, and tries again", () =>
  Effect.gen(function* () {
    const asked: Array<IncomingMessage> = []
    const { port, close } = yield* Effect.acquireRelease(
      Effect.callback<{ readonly port: number; readonly close: () => void }>((resume) => {
        const server = createServer((request, response) => {
          asked.push(request.resume())
          if (asked.length === 1) response.write("{")
        }).listen(0, "127.0.0.1", () => {
          const close = () => void server.close().closeAllConnections()
          resume(Effect.succeed({ port: (server.address() as AddressInfo).port, close }))
        })
      }),
      ({ close }) => Effect.sync(close)
    )
    const env = {
      ...environment(`http://127.0.0.1:${port}`),
      OTEL_TRACES_EXPORTER: "none",
      OTEL_LOGS_EXPORTER: "none"
    }
    const program = yield* Program.start([], { env: { ...env, OTEL_EXPORTER_OTLP_TIMEOUT: "300" } })
    yield* until(() => asked.length === 3 && asked.slice(0, 2).every(({ socket }) => socket.destroyed))
    yield* program.stop
    close()
  }).pipe(Effect.scoped)
)

it.live("telemetry.ts: an app exports the metrics and spans of its server with its own", () =>
  Effect.gen(function* () {
    const { url, got } = yield* collector
    yield* Effect.gen(function* () {
      const { addresses } = yield* Server
      const { client, origin } = yield* Tcp.session(addresses[0]!.port)
      yield* Effect.andThen(client.end, origin.end)
      yield* client.ending
    }).pipe(Effect.withSpan("app"), Effect.provide(proxy(url, { listen: "127.0.0.1:0" }, 1)), Effect.scoped)
    const { spans, count } = exportedBy(got)
    const session = spans.find(({ name }) => name === "session")
    assert.isDefined(session)
    assert.isUndefined(session?.parentSpanId)
    assert.strictEqual(count("effect_socks_sessions_ended_total"), 1)
  }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()), Effect.scoped)
)
