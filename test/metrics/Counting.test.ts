/**
 * What a server counts, in the registry of its app. On a network in memory.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as IpNetwork from "effect/net/IpNetwork"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Bans, Reload, type ServerOptions, Sessions } from "../../src/index.ts"
import { FleetMeasures } from "../../src/metrics/Counting.ts"
import * as Definitions from "../../src/metrics/Definitions.ts"
import * as Meters from "../../src/metrics/Meters.ts"
import { MetricSettings } from "../../src/metrics/Settings.ts"
import type { SessionEnded } from "../../src/session/Event.ts"
import { layerServer, Network, upstream } from "../../src/testing/index.ts"
import { credentials, greeting, request } from "../support/messages.ts"
import { settled } from "../support/streams.ts"

/** The value of a counter or gauge with these labels, or the count of a histogram; undefined without a series. */
const value = (name: string, labels: Readonly<Record<string, string>> = {}) =>
  Effect.map(Metric.snapshot, (all) => {
    const found = all.find(
      ({ id, attributes = {} }) =>
        id === `effect_socks_${name}` &&
        Object.entries(labels).every(([label, value]) => attributes[label] === value)
    )
    if (found?.type === "Counter" || found?.type === "Histogram") return Number(found.state.count)
    return found?.type === "Gauge" ? Number(found.state.value) : undefined
  })

/** A test with a server and a registry of its own. */
const withServer =
  (options: ServerOptions = {}) =>
  <A, E>(test: Effect.Effect<A, E, Network | Sessions | Bans | Reload | Scope.Scope>) =>
    test.pipe(
      Effect.provide(layerServer({ metrics: true, ...options })),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )

/** A client that has sent these bytes. The target at 192.0.2.1:80 echoes bytes. */
const client = Effect.fnUntraced(function* (...bytes: ReadonlyArray<number>) {
  const { connect, target } = yield* Network
  yield* target("192.0.2.1:80", ({ receive, send }) => Effect.forever(Effect.flatMap(receive(1), send)))
  const peer = yield* connect()
  yield* peer.send(bytes)
  return peer
})

/** A client with a connection to the target. */
const connected = Effect.tap(client(...greeting(0), ...request("192.0.2.1", 80)), ({ receive }) =>
  receive(2 + 10)
)

const endAll = Effect.gen(function* () {
  yield* settled
  const { list, end } = yield* Sessions
  for (const { id } of yield* list) yield* end(id)
  yield* settled
})

const login = (name: string, password: string) =>
  client(...greeting(2), ...credentials(name, password), ...request("192.0.2.1", 80))

describe("the metrics of a server", () => {
  it.effect("have each upstream, until a reload has others", () => {
    const pool = (...members: ReadonlyArray<string>): ServerOptions => ({
      routes: {
        name: "pool",
        members: members.map((name) => ({ name, via: `socks5://192.0.2.${"abc".indexOf(name) + 7}:1080` }))
      },
      rules: { allow: true, route: "pool" }
    })
    return Effect.gen(function* () {
      const up = (member: string) => value("upstream_up", { route: "pool", member })
      const failures = (member: string) => value("upstream_failures_total", { route: "pool", member })
      const { target } = yield* Network
      yield* target("192.0.2.8:1080", upstream({ protocol: "socks5" }))
      for (let i = 0; i < 7; i++) {
        const peer = yield* client(...greeting(0), ...request("192.0.2.1", 80))
        yield* peer.receive(2 + 10)
        yield* settled
      }
      // A look finds series that are new, and the next one has them.
      yield* Metric.snapshot
      assert.strictEqual(yield* up("a"), 0)
      assert.strictEqual(yield* up("b"), 1)
      assert.strictEqual(yield* failures("a"), 3)
      assert.isUndefined(yield* failures("b"))
      assert.strictEqual(yield* value("upstream_sessions", { member: "b" }), 7)
      const reload = yield* Reload
      yield* reload(pool("c"))
      yield* settled
      yield* Metric.snapshot
      assert.isUndefined(yield* up("a"))
      assert.strictEqual(yield* up("c"), 1)
      assert.strictEqual(yield* failures("a"), 3)
    }).pipe(Effect.scoped, withServer(pool("a", "b")))
  })

  it.effect("count sessions, and their bytes while they are open", () =>
    Effect.gen(function* () {
      const peer = yield* connected
      assert.strictEqual(yield* value("sessions"), 1)
      const labels = { protocol: "SOCKS5", command: "CONNECT" }
      assert.strictEqual(yield* value("sessions_begun_total", labels), 1)
      yield* peer.send("abc")
      yield* peer.receive(3)
      assert.strictEqual(yield* value("bytes_total", { direction: "sent" }), 3)
      assert.strictEqual(yield* value("first_byte_seconds"), 1)
      yield* peer.send("d")
      yield* peer.receive(1)
      yield* settled
      assert.strictEqual(yield* value("bytes_total", { direction: "received" }), 4)
      yield* endAll
      assert.strictEqual(yield* value("sessions"), 0)
      assert.strictEqual(yield* value("bytes_total", { direction: "sent" }), 4)
      const ended = { protocol: "SOCKS5", outcome: "ended by operator" }
      assert.strictEqual(yield* value("sessions_ended_total", ended), 1)
      assert.strictEqual(yield* value("session_duration_seconds"), 1)
    }).pipe(withServer())
  )

  it.effect("measure the phases that succeed", () =>
    Effect.gen(function* () {
      yield* client(...greeting(0), ...request("192.0.2.9", 80))
      yield* settled
      assert.strictEqual(yield* value("handshake_seconds"), 1)
      assert.strictEqual(yield* value("dial_seconds"), 0)
      const { target, connect } = yield* Network
      yield* target("target.example:80", ({ ending }) => ending)
      const peer = yield* connect()
      yield* TestClock.adjust("3 seconds")
      yield* peer.send([...greeting(0), ...request("target.example", 80)])
      yield* peer.receive(2 + 10)
      assert.strictEqual(yield* value("resolve_seconds"), 1)
      assert.strictEqual(yield* value("dial_seconds"), 1)
      const handshakes = (yield* Metric.snapshot).find(({ id }) => id === "effect_socks_handshake_seconds")
      if (handshakes?.type !== "Histogram") return assert.fail("no histogram")
      assert.strictEqual(handshakes.state.sum, 3)
      assert.deepStrictEqual(
        handshakes.state.buckets.filter(([bound]) => bound === 2.5 || bound === 5),
        [
          [2.5, 1],
          [5, 2]
        ]
      )
    }).pipe(withServer())
  )

  it.effect("count denials by their rule, up to a bound", () =>
    Effect.gen(function* () {
      yield* client(...greeting(0), ...request("10.0.0.1", 80))
      yield* client(...greeting(0), ...request("192.0.2.1", 81))
      yield* settled
      assert.strictEqual(yield* value("denials_total", { rule: "no 81", verdict: "deny" }), 1)
      yield* Effect.flatMap(Network, ({ reset }) => reset)
      yield* settled
      assert.strictEqual(yield* value("sessions_ended_total", { outcome: "NotAllowed" }), 2)
    }).pipe(withServer({ rules: [{ name: "no 81", deny: true, ports: 81 }] }))
  )

  it.effect("count what would be denied", () =>
    Effect.gen(function* () {
      yield* client(...greeting(0), ...request("192.0.2.1", 81))
      yield* settled
      assert.strictEqual(yield* value("denials_total", { rule: "no 81", verdict: "would deny" }), 1)
    }).pipe(withServer({ reportOnly: true, rules: [{ name: "no 81", deny: true, ports: 81 }] }))
  )

  it.effect("count logins, and the bytes of so many users by their names", () =>
    Effect.gen(function* () {
      yield* login("alice", "wrong")
      yield* settled
      for (const name of ["alice", "bob", "carol"]) {
        const peer = yield* login(name, "secret")
        yield* peer.receive(4 + 10)
        yield* peer.send(name)
        yield* peer.receive(name.length)
      }
      yield* endAll
      assert.strictEqual(yield* value("logins_total", { method: "password", result: "failed" }), 1)
      assert.strictEqual(yield* value("logins_total", { method: "password", result: "succeeded" }), 3)
      assert.strictEqual(yield* value("user_bytes_total", { user: "alice", direction: "sent" }), 5)
      assert.strictEqual(yield* value("user_bytes_total", { user: "bob" }), undefined)
      assert.strictEqual(yield* value("user_bytes_total", { user: "other", direction: "received" }), 8)
      assert.strictEqual(yield* value("bytes_total", { direction: "sent" }), 13)
    }).pipe(
      withServer({
        metricsUsers: 1,
        users: ["alice", "bob", "carol"].map((name) => ({ name, password: Redacted.make("secret") }))
      })
    )
  )

  it.effect("count bans, reached limits and refused connections", () =>
    Effect.gen(function* () {
      yield* connected
      yield* client(...greeting(0), ...request("192.0.2.1", 80))
      yield* settled
      assert.strictEqual(yield* value("limits_reached_total", { limit: "sessions" }), 1)
      const network = Result.getOrThrow(IpNetwork.fromString("203.0.113.0/24"))
      yield* Effect.flatMap(Bans, ({ ban }) => ban(network, Duration.hours(1), "abuse"))
      yield* client()
      yield* settled
      assert.strictEqual(yield* value("bans"), 1)
      assert.strictEqual(yield* value("bans_total"), 1)
      assert.strictEqual(yield* value("banned_connections_total"), 1)
    }).pipe(withServer({ maxSessions: 1 }))
  )

  it.effect("say whether a machine leads, of a fleet that has a leader", () =>
    Effect.gen(function* () {
      const of = (machine: string, leads?: () => number) => {
        const measures = { machines: () => 3, lost: () => 0, failures: () => 0, unsent: () => 0, leads }
        return Layer.build(layerServer({ metrics: true })).pipe(
          Effect.provideService(FleetMeasures, { machine, ...measures })
        )
      }
      let leads = 0
      yield* of("one", () => leads)
      yield* of("alone")
      assert.strictEqual(yield* value("fleet_leads", { machine: "one" }), 0)
      leads = 1
      assert.strictEqual(yield* value("fleet_leads", { machine: "one" }), 1)
      assert.strictEqual(yield* value("fleet_machines", { machine: "alone" }), 3)
      assert.isUndefined(yield* value("fleet_leads", { machine: "alone" }))
    }).pipe(Effect.scoped, Effect.provideService(Metric.MetricRegistry, new Map()))
  )

  it.effect("have the names, types and labels of the table", () =>
    Effect.gen(function* () {
      yield* connected
      yield* login("alice", "secret")
      const found = yield* Metric.snapshot
      const table = new Map(Definitions.all.map((definition) => [definition.name, definition]))
      assert.isAbove(found.length, 25)
      for (const { id, type, description, attributes } of found) {
        const { unit: _, ...labels } = attributes ?? {}
        const definition = table.get(id)
        assert.deepStrictEqual(
          { type, help: description, labels: Object.keys(labels) },
          { type: definition?.type, help: definition?.help, labels: definition?.labels }
        )
      }
    }).pipe(withServer())
  )

  it.effect("count sessions by the members of their routes, up to a bound", () =>
    Effect.gen(function* () {
      const meters = yield* Meters.make
      const event = { protocol: "SOCKS5", outcome: "finished", sent: 0, received: 0 }
      for (let i = 0; i < 300; i++) {
        meters.end({ ...event, route: `route ${i % 2}`, member: `member ${i}` } as unknown as SessionEnded)
      }
      meters.end(event as unknown as SessionEnded)
      assert.strictEqual(yield* value("route_sessions_total", { route: "route 0", member: "member 0" }), 1)
      assert.strictEqual(yield* value("route_sessions_total", { route: "other", member: "other" }), 100)
    }).pipe(
      Effect.provideService(MetricSettings, MetricSettings.defaults),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )
  )

  it.effect("measure the delay of the event loop", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* value("event_loop_delay_seconds"), 10)
      assert.isAbove((yield* value("memory_bytes", { kind: "resident" }))!, 1e6)
    }).pipe(withServer())
  )

  it.effect("stay as they were when the server has ended, without its gauges", () =>
    Effect.gen(function* () {
      yield* Effect.andThen(connected, endAll).pipe(
        Effect.provide(layerServer({ metrics: true })),
        Effect.scoped
      )
      assert.strictEqual(yield* value("sessions"), undefined)
      assert.strictEqual(yield* value("sessions_begun_total"), 1)
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
  )

  it.effect("are none without the setting", () =>
    Effect.gen(function* () {
      yield* connected
      assert.deepStrictEqual(yield* Metric.snapshot, [])
    }).pipe(withServer({ metrics: false }))
  )
})
