/**
 * Metrics as text, for Prometheus.
 */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import type { Snapshot } from "./Series.ts"

/** The text format of Prometheus, version 0.0.4. */
export const format = (snapshot: Snapshot): string => {
  const registry: Metric.MetricRegistry = new Map()
  for (const [index, { state, ...series }] of snapshot.entries()) {
    registry.set(String(index), { ...series, hooks: { get: () => state, update: inert, modify: inert } })
  }
  return PrometheusMetrics.formatUnsafe(Context.make(Metric.MetricRegistry, registry))
}

const inert = () => {}
