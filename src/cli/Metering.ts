/**
 * The metrics of the program's server: of a server alone, or of the primary and its workers together.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Bans } from "../bans/Bans.ts"
import * as Merge from "../metrics/Merge.ts"
import { Metrics, snapshotOf } from "../metrics/Metrics.ts"
import type { MetricSettings } from "../metrics/Settings.ts"
import * as Metering from "../server/Metering.ts"
import type { RunningServer } from "../server/RunningServer.ts"
import type { Events } from "../session/Events.ts"
import type { SessionRegistry } from "../session/SessionRegistry.ts"
import type { IpcChannel } from "../workers/IpcChannel.ts"
import { WorkerMetrics } from "../workers/WorkerMetrics.ts"

/** The layers that observe a server; all of them empty where nothing is observed. */
export interface Observing {
  /** Listens to the sessions of this process, until the last session has ended. */
  readonly listener: Layer.Layer<never, never, Bans | Events | SessionRegistry>
  /** Beside a server that serves alone. Where metrics are counted, with the service `Metrics`. */
  readonly alone: Layer.Layer<never, never, Bans | Events | RunningServer>
  /** Beside the primary. Where metrics are counted, with the service `Metrics`. */
  readonly primary: Layer.Layer<never, never, Bans | Events | RunningServer | WorkerMetrics>
  /** Beside a worker's server. */
  readonly worker: Layer.Layer<never, never, Events | RunningServer>
  /** Answers the primary with the metrics of this worker, and sends the last ones at the end. */
  readonly answering: (channel: Pick<IpcChannel, "measure" | "send">) => Layer.Layer<never>
}

export const make: Effect.Effect<Observing, never, MetricSettings> = Effect.map(
  Metering.make,
  ({ meters, listener, census, decisions, process }) => {
    // Without those of Effect's cluster, which elects a leader: it counts itself as the only runner, in the registry of all.
    const own = Effect.map(snapshotOf(meters), (all) =>
      all.filter(({ id }) => id.startsWith("effect_socks_"))
    )
    return {
      listener,
      alone: Layer.mergeAll(process, census, decisions, Metrics.layer(own)),
      primary: Layer.mergeAll(process, decisions, ofWorkers(own)),
      worker: Layer.merge(process, census),
      answering: (channel) => answering(own, channel)
    }
  }
)

/** The metrics of all workers and of the primary, which has no sessions. */
const ofWorkers = (own: Metrics["Service"]["snapshot"]): Layer.Layer<Metrics, never, WorkerMetrics> =>
  Layer.unwrap(
    Effect.map(WorkerMetrics, ({ gather }) =>
      Metrics.layer(
        Effect.zipWith(own, gather, (snapshot, workers) =>
          Merge.merge([{ place: "primary", snapshot }, ...workers])
        )
      )
    )
  )

const answering = (
  own: Metrics["Service"]["snapshot"],
  { measure, send }: Parameters<Observing["answering"]>[0]
): Layer.Layer<never> => {
  const answer = (id: number) => Effect.map(own, (snapshot) => send({ _tag: "measured", id, snapshot }))
  return Layer.effectDiscard(
    Effect.gen(function* () {
      yield* Effect.addFinalizer(() => answer(0))
      yield* Effect.forkScoped(Effect.forever(Effect.flatMap(measure, ({ id }) => answer(id))))
    })
  )
}
