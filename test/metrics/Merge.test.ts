/**
 * The metrics of several processes, and their text.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Merge from "../../src/metrics/Merge.ts"
import { Metrics } from "../../src/metrics/Metrics.ts"

/** The series that these updates make. */
const snapshotOf = (...updates: ReadonlyArray<Effect.Effect<void>>) => {
  const context = Context.make(Metric.MetricRegistry, new Map())
  for (const update of updates) Effect.runSyncWith(context)(update)
  return Metric.snapshotUnsafe(context)
}

const bytes = (direction: string) =>
  Metric.counter("effect_socks_bytes_total", { attributes: { direction }, incremental: true })
const memory = Metric.gauge("effect_socks_memory_bytes", { attributes: { kind: "heap" } })
const info = Metric.gauge("effect_socks_info", { attributes: { transport: "node" } })
const up = (member: string) => Metric.gauge("effect_socks_upstream_up", { attributes: { member } })
const sessions = Metric.gauge("effect_socks_sessions")
const dial = Metric.histogram("effect_socks_dial_seconds", { boundaries: [1, 2] })
const words = Metric.frequency("words")

const text = (snapshot: Merge.Part["snapshot"]) =>
  Effect.flatMap(Metrics, ({ prometheus }) => prometheus).pipe(
    Effect.provide(Metrics.layer(Effect.succeed(snapshot)))
  )

describe("Merge", () => {
  it.effect("sums counters, gauges and buckets, and leaves what is of one process apart", () =>
    Effect.gen(function* () {
      const one = snapshotOf(
        Metric.update(bytes("sent"), 5),
        Metric.update(memory, 100),
        Metric.update(info, 1),
        Metric.update(up("a"), 0),
        Metric.update(up("b"), 1),
        Metric.update(sessions, 2),
        Metric.update(dial, 0.5),
        Metric.update(words, "a")
      )
      const other = snapshotOf(
        Metric.update(dial, 1.5),
        Metric.update(dial, 9),
        Metric.update(sessions, 3),
        Metric.update(info, 1),
        Metric.update(up("a"), 1),
        Metric.update(up("b"), 1),
        Metric.update(memory, 200),
        Metric.update(bytes("received"), 1),
        Metric.update(bytes("sent"), 7),
        Metric.update(words, "a")
      )
      const lines = yield* text(
        Merge.merge([
          { place: "1", snapshot: one },
          { place: "2", snapshot: other }
        ])
      )
      assert.deepStrictEqual(
        lines
          .split("\n")
          .filter((line) => line !== "" && !line.startsWith("#"))
          .sort(),
        [
          'effect_socks_bytes_total{direction="received"} 1',
          'effect_socks_bytes_total{direction="sent"} 12',
          'effect_socks_dial_seconds_bucket{le="+Inf"} 3',
          'effect_socks_dial_seconds_bucket{le="1"} 1',
          'effect_socks_dial_seconds_bucket{le="2"} 2',
          "effect_socks_dial_seconds_count 3",
          "effect_socks_dial_seconds_sum 11",
          'effect_socks_info{transport="node"} 1',
          'effect_socks_memory_bytes{kind="heap",worker="1"} 100',
          'effect_socks_memory_bytes{kind="heap",worker="2"} 200',
          "effect_socks_sessions 5",
          'effect_socks_upstream_up{member="a"} 0',
          'effect_socks_upstream_up{member="b"} 1',
          'words{key="a"} 2'
        ]
      )
    })
  )

  it("keeps the counts of processes that have ended, and nothing else", () => {
    const one = snapshotOf(
      Metric.update(bytes("sent"), 5),
      Metric.update(sessions, 2),
      Metric.update(memory, 100),
      Metric.update(dial, 0.5)
    )
    const kept = Merge.ended([{ snapshot: one }, { snapshot: one }])
    assert.deepStrictEqual(
      kept.map(({ id, state }) => [id, "count" in state ? state.count : undefined]),
      [
        ["effect_socks_bytes_total", 10],
        ["effect_socks_dial_seconds", 2]
      ]
    )
  })

  it("has the first of two processes with one place", () => {
    const part = (value: number) => ({ place: "1", snapshot: snapshotOf(Metric.update(memory, value)) })
    const [series, ...others] = Merge.merge([part(1), part(2)])
    assert.deepStrictEqual([series?.state, others], [{ value: 1 }, []])
  })
})
