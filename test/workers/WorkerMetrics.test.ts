/**
 * What the primary knows of the metrics of its workers.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as Merge from "../../src/metrics/Merge.ts"
import type { Snapshot } from "../../src/metrics/Series.ts"
import * as WorkerMetrics from "../../src/workers/WorkerMetrics.ts"

interface Worker {
  readonly place: number
  readonly send: (message: WorkerMetrics.Measure) => void
}

const counted = (count: number): Snapshot => [
  {
    id: "effect_socks_bytes_total",
    type: "Counter",
    description: undefined,
    attributes: undefined,
    state: { count, incremental: true }
  }
]

/** A worker that answers with these counts, one after the other, and then no more. */
const workerOf = (metrics: WorkerMetrics.Gathering<Worker>, place: number, counts: Array<number>): Worker => {
  const worker: Worker = {
    place,
    send: ({ id }) => {
      const count = counts.shift()
      if (count !== undefined) metrics.receive(worker, { _tag: "measured", id, snapshot: counted(count) })
    }
  }
  metrics.add(worker)
  return worker
}

const sum = (metrics: WorkerMetrics.Gathering<Worker>) =>
  Effect.gen(function* () {
    const gathering = yield* Effect.forkChild(metrics.gather, { startImmediately: true })
    yield* TestClock.adjust("1 second")
    const [series] = Merge.merge(yield* Fiber.join(gathering))
    return series?.type === "Counter" ? series.state.count : undefined
  })

describe("WorkerMetrics", () => {
  it.effect("asks all workers", () =>
    Effect.gen(function* () {
      const metrics = WorkerMetrics.make<Worker>()
      workerOf(metrics, 1, [1, 2])
      workerOf(metrics, 2, [10, 20])
      assert.strictEqual(yield* sum(metrics), 11)
      assert.strictEqual(yield* sum(metrics), 22)
    })
  )

  it.effect("has the last answer of a worker that does not answer", () =>
    Effect.gen(function* () {
      const metrics = WorkerMetrics.make<Worker>()
      workerOf(metrics, 1, [5])
      assert.deepStrictEqual([yield* sum(metrics), yield* sum(metrics)], [5, 5])
    })
  )

  it.effect("never counts less because a worker has ended", () =>
    Effect.gen(function* () {
      const metrics = WorkerMetrics.make<Worker>()
      const one = workerOf(metrics, 1, [5])
      workerOf(metrics, 2, [1, 1, 1])
      assert.strictEqual(yield* sum(metrics), 6)
      // Its last words, without having been asked.
      metrics.receive(one, { _tag: "measured", id: 0, snapshot: counted(8) })
      metrics.remove(one)
      assert.strictEqual(yield* sum(metrics), 9)
      workerOf(metrics, 1, [2])
      assert.strictEqual(yield* sum(metrics), 11)
    })
  )
})
