/**
 * The status of this server, for its own API and for the other machines of its fleet.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Bans } from "../bans/Bans.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import { FleetLeader } from "../fleet/FleetLeader.ts"
import { FleetPeers } from "../fleet/FleetPeers.ts"
import type { Status } from "./Api.ts"
import { Control } from "./Control.ts"
import { Operations } from "./Operations.ts"
import { Readiness } from "./Readiness.ts"

/** The status, each time that it is run. */
export const make = Effect.gen(function* () {
  const { server, startedAt } = yield* Control
  const { list: bans } = yield* Bans
  const { version, changeableUsers } = yield* Operations
  const { isDraining } = yield* Readiness
  const fleet = Option.isSome(yield* Effect.serviceOption(FleetPeers))
  const leader = yield* FleetLeader
  return Effect.gen(function* (): Effect.fn.Return<Status> {
    const census = yield* server.census
    const draining = yield* isDraining
    return {
      version,
      startedAt,
      ready: !draining && server.listeners.length > 0,
      draining,
      listeners: server.listeners.map(ListenAddress.format),
      asksPassword: server.asksPassword,
      fleet,
      ...(leader !== undefined && { leads: leader.leads() }),
      changesUsers: yield* Effect.isSuccess(changeableUsers),
      bans: (yield* bans).length,
      sessions: census.sessions,
      associations: census.associations,
      handshakes: census.handshakes,
      descriptors: census.descriptors,
      workers: workersOf(census)
    }
  })
})

/** The workers that answered, of a census of several. */
const workersOf = (census: object): Status["workers"] => {
  const { workers = [] } = census as {
    readonly workers?: ReadonlyArray<{ readonly pid: number; readonly sessions?: number }>
  }
  return workers.map(({ pid, sessions = 0 }) => ({ pid, sessions }))
}
