/**
 * What makes a server a machine of a fleet. Loaded only where the settings name a store.
 *
 * A machine has one connection to the store, also with several workers: that of the primary. The workers are members of
 * the primary's seat, as without a fleet, and the seat leases from the store what it leases to them. So a fleet has as
 * many connections and as many leases as machines, and not as processes.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Bans } from "../bans/Bans.ts"
import * as BansFile from "../bans/BansFile.ts"
import * as KnownFile from "../bans/KnownFile.ts"
import type { BanSettings } from "../bans/Settings.ts"
import type { BadSetting, FleetStoreFailed, StateFailed } from "../Errors.ts"
import { CoordinatorMember } from "../limits/CoordinatorMember.ts"
import { CoordinatorSeat } from "../limits/CoordinatorSeat.ts"
import type * as Quotas from "../limits/Quotas.ts"
import type { Counters } from "../server/Composition.ts"
import type * as Config from "../server/Config.ts"
import type { UsageSettings } from "../usage/Settings.ts"
import type { UsageRecords } from "../usage/UsageRecords.ts"
import * as FleetLeader from "./FleetLeader.ts"
import { FleetMembership } from "./FleetMembership.ts"
import * as FleetSeat from "./FleetSeat.ts"
import * as FleetSharing from "./FleetSharing.ts"
import * as FleetUrl from "./FleetUrl.ts"
import * as LastSeen from "./LastSeen.ts"
import * as LeaderCheck from "./LeaderCheck.ts"
import * as RedisStore from "./RedisStore.ts"
import type { FleetSettings } from "./Settings.ts"

/** The settings of a machine. */
type Settings = FleetSettings["Service"] &
  Pick<BanSettings["Service"], "stateDir"> &
  Pick<UsageSettings["Service"], "usageStore"> & { readonly fleet: Redacted.Redacted }

type Seat = CoordinatorSeat | Bans | UsageRecords

export interface Fleet {
  /** The seat of a machine with so many members. Fails if there is no store. */
  readonly seat: (count: number) => Layer.Layer<Seat, FleetStoreFailed | StateFailed, Quotas.Sections>
  /** The counters of a server that is the only member of its machine. */
  readonly alone: Layer.Layer<Counters, BadSetting | FleetStoreFailed | StateFailed, Config.Sections>
}

export const make = (settings: Settings): Fleet => {
  const url = Option.getOrThrow(FleetUrl.parse(Redacted.value(settings.fleet)))
  const machine = Layer.unwrap(
    Effect.map(LastSeen.open(settings.stateDir, settings.fleetPrefix), (last) =>
      FleetSharing.layer(settings, url.password ?? "", last).pipe(
        Layer.provideMerge(leaderOf(settings)),
        Layer.provideMerge(FleetMembership.layer(settings, url.database, last.seen)),
        Layer.provideMerge(RedisStore.layer(url, last.seen !== undefined))
      )
    )
  )
  const seat = (count: number) =>
    FleetSeat.layer(settings).pipe(
      Layer.provideMerge(CoordinatorSeat.layer(count)),
      Layer.provideMerge(machine)
    )
  return {
    seat,
    alone: CoordinatorMember.services.pipe(
      Layer.provide(CoordinatorMember.layer),
      Layer.provide(CoordinatorSeat.layerLocal),
      Layer.provideMerge(Layer.merge(BansFile.layer, KnownFile.layer)),
      Layer.provideMerge(seat(1))
    )
  }
}

/** The leader, where the settings ask for one: only then the code of the cluster is loaded. */
const leaderOf = (settings: Settings) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const database = yield* Effect.orDie(LeaderCheck.database(settings))
      if (database === undefined) return Layer.empty
      const { elect } = yield* Effect.promise(() => import("./FleetCluster.ts"))
      return FleetLeader.layer(elect(database, settings.fleetPrefix, settings.fleetLease))
    })
  )
