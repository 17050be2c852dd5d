/**
 * The metrics of several processes as those of one server.
 */
import type * as Metric from "effect/Metric"
import { all, type Definition } from "./Definitions.ts"
import type { Snapshot } from "./Series.ts"

/** The series of one process. */
export interface Part {
  /** The value of the label `worker` where a series is not merged. */
  readonly place?: string
  readonly snapshot: Snapshot
}

type Series = Metric.Metric.Snapshot

/** Merges series of the same name and labels: sums, but as `Definition.merge` says. */
export const merge = (parts: ReadonlyArray<Part>): Snapshot => {
  const merged = new Map<string, Series>()
  for (const { place, snapshot } of parts) {
    for (const one of snapshot) {
      const how = modeOf(one)
      const series = how === "worker" && place !== undefined ? labelled(one, place) : one
      const key = keyOf(series)
      const other = merged.get(key)
      // Of two processes with one place, the first one counts.
      if (other === undefined) merged.set(key, series)
      else if (how !== "worker") merged.set(key, together(other, series, how))
    }
  }
  return [...merged.values()]
}

/** What stays of processes that have ended: their counts. */
export const ended = (parts: ReadonlyArray<Part>): Snapshot =>
  merge(
    parts.map(({ snapshot }) => ({
      snapshot: snapshot.filter(
        (series) => series.type !== "Gauge" && series.type !== "Summary" && modeOf(series) !== "worker"
      )
    }))
  )

const modes: ReadonlyMap<string, Definition["merge"]> = new Map(all.map(({ name, merge }) => [name, merge]))

// The quantiles of two summaries cannot be merged.
const modeOf = ({ id, type }: Series): Definition["merge"] => (type === "Summary" ? "worker" : modes.get(id))

const labelled = (series: Series, worker: string): Series => ({
  ...series,
  attributes: { ...series.attributes, worker }
})

const keyOf = ({ id, attributes = {} }: Series): string =>
  JSON.stringify([id, Object.entries(attributes).sort(([one], [other]) => (one < other ? -1 : 1))])

const together = (one: Series, other: Series, how: Definition["merge"]): Series => {
  if (one.type === "Counter" && other.type === "Counter") {
    const count = sum(one.state.count, other.state.count)
    return { ...one, state: { ...one.state, count } }
  }
  if (one.type === "Gauge" && other.type === "Gauge") {
    const values = [one.state.value, other.state.value] as const
    const numbers = values.map(Number)
    const value = how === "max" ? Math.max(...numbers) : how === "min" ? Math.min(...numbers) : sum(...values)
    return { ...one, state: { value } }
  }
  if (one.type === "Frequency" && other.type === "Frequency") {
    const occurrences = new Map(one.state.occurrences)
    for (const [word, count] of other.state.occurrences) {
      occurrences.set(word, (occurrences.get(word) ?? 0) + count)
    }
    return { ...one, state: { occurrences } }
  }
  if (one.type === "Histogram" && other.type === "Histogram") {
    return { ...one, state: histograms(one.state, other.state) }
  }
  return one
}

/** All processes run the same program, so their histograms have the same buckets. */
const histograms = (one: Metric.HistogramState, other: Metric.HistogramState): Metric.HistogramState => ({
  buckets: one.buckets.map(([bound, count], index) => [bound, count + (other.buckets[index]?.[1] ?? 0)]),
  count: one.count + other.count,
  sum: one.sum + other.sum,
  min: Math.min(one.min, other.min),
  max: Math.max(one.max, other.max)
})

const sum = (one: number | bigint, other: number | bigint): number | bigint =>
  typeof one === "bigint" && typeof other === "bigint" ? one + other : Number(one) + Number(other)
