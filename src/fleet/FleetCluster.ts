/**
 * The election of a fleet's leader, by Effect's cluster: a singleton, whose machine has the lock of its shard in
 * PostgreSQL. No machine speaks to another one. Loaded only where the settings ask for a leader.
 */
import { createHash } from "node:crypto"
import * as Cause from "effect/Cause"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as Runners from "effect/cluster/Runners"
import * as Sharding from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as Singleton from "effect/cluster/Singleton"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as References from "effect/References"
import { UsageStoreFailed } from "../Errors.ts"
import * as PostgresClient from "../usage/PostgresClient.ts"
import type { PostgresUrl } from "../usage/PostgresUrl.ts"
import { reasonOf } from "../usage/SqlStore.ts"
import type { Election } from "./FleetLeader.ts"

/**
 * Elects among the machines of a fleet, of which several may have one database. `lease` is that of the fleet: a lock holds for
 * two of it, and a machine looks for others once in it. So a machine that is gone is followed by another one within three of
 * it and a second.
 */
export const elect =
  (url: PostgresUrl, fleet: string, lease: Duration.Duration): Election =>
  (id, lead) => {
    const group = createHash("sha256").update(fleet).digest("hex").slice(0, 16)
    const leading = Effect.acquireRelease(
      Effect.sync(() => lead(true)),
      () => Effect.sync(() => lead(false))
    )
    const cluster = Sharding.layer.pipe(
      Layer.provide([
        Runners.layerNoop,
        RunnerHealth.layerNoop,
        SqlRunnerStorage.layerWith({ prefix: "fleet" })
      ]),
      Layer.provide(MessageStorage.layerNoop),
      Layer.provide(
        ShardingConfig.layer({
          // A pooler in between may give each statement another session, which would not have the locks of the last one.
          shardLockDisableAdvisory: true,
          shardLockExpiration: Duration.times(lease, 2),
          refreshAssignmentsInterval: lease,
          shardsPerGroup: 1,
          runnerAddress: Option.some(RunnerAddress.make(id, 1)),
          availableShardGroups: [group],
          assignedShardGroups: [group]
        })
      ),
      Layer.provide(PostgresClient.layer(url))
    )
    return Layer.build(
      Layer.provide(Singleton.make("leader", Effect.asVoid(leading), { shardGroup: group }), cluster)
    ).pipe(
      Effect.asVoid,
      // Its lines are about shards. What an operator has to know is told where this machine leads, or nobody can.
      Effect.provideService(References.MinimumLogLevel, "None"),
      Effect.withTracerEnabled(false),
      // The cluster makes a defect of what the database says.
      Effect.catchCause((cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.interrupt
          : Effect.fail(
              new UsageStoreFailed({ store: url.shown, reason: reasonOf(Cause.squash(cause) as Error) })
            )
      )
    )
  }
