/**
 * The metrics of all workers: the primary asks each worker for its series, and keeps the counts of workers that have
 * ended. Without them a sum would fall when a worker is replaced, and a scraper would take that for a restart.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Requests from "../base/Requests.ts"
import * as Merge from "../metrics/Merge.ts"
import type { Snapshot } from "../metrics/Series.ts"

/** To a worker: the request for its series. */
export interface Measure {
  readonly _tag: "measure"
  readonly id: number
}

/** The answer. A worker that ends sends its last series without being asked, with the number 0. */
export interface Measured {
  readonly _tag: "measured"
  readonly id: number
  readonly snapshot: Snapshot
}

/** A worker, as far as its metrics are concerned. */
interface Asked {
  readonly place: number
  readonly send: (message: Measure) => void
}

export interface Gathering<in Worker> {
  readonly add: (worker: Worker) => void
  readonly receive: (worker: Worker, message: Measured) => void
  readonly remove: (worker: Worker) => void
  /** The series of all workers. Of a worker that does not answer in a second, the last ones that it sent. */
  readonly gather: Effect.Effect<ReadonlyArray<Merge.Part>>
}

/** The metrics of the workers of this primary. */
export class WorkerMetrics extends Context.Service<WorkerMetrics, Pick<Gathering<never>, "gather">>()(
  "effect-socks/workers/WorkerMetrics"
) {}

export const make = <Worker extends Asked>(): Gathering<Worker> => {
  const requests = Requests.make<Worker, Snapshot>("1 second")
  /** The last series of each worker. */
  const last = new Map<Worker, Snapshot>()
  let ended: Snapshot = []
  const ask = (worker: Worker) =>
    requests
      .ask(worker, (id) => worker.send({ _tag: "measure", id }))
      .pipe(
        Effect.orElseSucceed(() => last.get(worker) ?? []),
        Effect.map((snapshot): Merge.Part => ({ place: String(worker.place), snapshot }))
      )
  return {
    add: (worker) => void last.set(worker, []),
    receive: (worker, { id, snapshot }) => {
      if (last.has(worker)) last.set(worker, snapshot)
      requests.answer(worker, id, snapshot)
    },
    remove: (worker) => {
      ended = Merge.ended([{ snapshot: ended }, { snapshot: last.get(worker) ?? [] }])
      last.delete(worker)
      requests.remove(worker)
    },
    gather: Effect.suspend(() =>
      Effect.map(
        // The newest first: a worker that stops has the place of the worker that replaces it.
        Effect.forEach([...last.keys()].reverse(), ask, { concurrency: "unbounded" }),
        (parts) => [...parts, { snapshot: ended }]
      )
    )
  }
}
