/**
 * The metrics of a server, of all its processes together.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type { Meters } from "./Meters.ts"
import type { Snapshot } from "./Series.ts"

/** The metrics of all processes of a server. */
export class Metrics extends Context.Service<
  Metrics,
  {
    /** All series of the server, and those that an app has in the same registry. */
    readonly snapshot: Effect.Effect<Snapshot>
    /** All series in the text format of Prometheus, version 0.0.4. */
    readonly prometheus: Effect.Effect<string>
  }
>()("effect-socks/metrics/Metrics") {
  static readonly layer = (snapshot: Effect.Effect<Snapshot>): Layer.Layer<Metrics> =>
    Layer.succeed(Metrics, make(snapshot))
}

/** The series of this process. */
export const snapshotOf = (meters: Meters): Effect.Effect<Snapshot> =>
  Effect.sync(() => {
    // Before the snapshot, because this may add series.
    meters.countOpen()
    return Metric.snapshotUnsafe(meters.context)
  })

const make = (snapshot: Metrics["Service"]["snapshot"]): Metrics["Service"] => ({
  snapshot,
  prometheus: Effect.gen(function* () {
    // Loads Effect's HTTP server, which only this text needs.
    const { format } = yield* Effect.promise(() => import("./Exposition.ts"))
    return format(yield* snapshot)
  })
})
