/**
 * The metrics of a server with its sessions in this process. Loaded only where metrics are counted.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Bans } from "../bans/Bans.ts"
import * as Counting from "../metrics/Counting.ts"
import * as Meters from "../metrics/Meters.ts"
import * as ProcessMetrics from "../metrics/ProcessMetrics.ts"
import type { MetricSettings } from "../metrics/Settings.ts"
import type { Events } from "../session/Events.ts"
import type { SessionRegistry } from "../session/SessionRegistry.ts"
import { RunningServer } from "./RunningServer.ts"

export interface Metering {
  readonly meters: Meters.Meters
  /** Counts sessions, until the last session has ended. */
  readonly listener: Layer.Layer<never, never, Bans | Events | SessionRegistry>
  /** Beside a server whose sessions are in this process. */
  readonly census: Layer.Layer<never, never, Events | RunningServer>
  /** Beside a server that decides about bans and reloads in this process. */
  readonly decisions: Layer.Layer<never, never, Bans | Events>
  readonly process: Layer.Layer<never>
}

/** Metrics in the registry of this context. They stay in the registry when the server has ended. */
export const make: Effect.Effect<Metering, never, MetricSettings> = Effect.map(Meters.make, (meters) => ({
  meters,
  listener: Counting.sessions(meters),
  census: Layer.unwrap(
    Effect.map(RunningServer, ({ census, upstreams }) =>
      Layer.merge(Counting.census(meters, census), Counting.upstreams(meters, upstreams))
    )
  ),
  decisions: Counting.server(meters),
  process: ProcessMetrics.layer(meters)
}))
