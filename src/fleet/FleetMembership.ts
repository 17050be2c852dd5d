/**
 * The membership of this server in its fleet, as a service.
 */
import { randomBytes } from "node:crypto"
import { hostname } from "node:os"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { FleetStoreFailed } from "../Errors.ts"
import { FleetStore, run } from "./FleetStore.ts"
import * as Keys from "./Keys.ts"
import type { Seen } from "./LastSeen.ts"
import { Membership } from "./Membership.ts"
import type { FleetSettings } from "./Settings.ts"
import * as Beat from "./scripts/Beat.ts"
import { ListMachines } from "./scripts/ListMachines.ts"
import * as Told from "./Told.ts"

export class FleetMembership extends Context.Service<FleetMembership, Membership>()(
  "effect-socks/fleet/FleetMembership"
) {
  /**
   * Joins the fleet until the layer is released. Waits until the store leases, which it does not for the time of a lease
   * after it was empty. While the store is away, a machine begins by what it has `seen` last. Fails where the machines that
   * are there have another lease, or keep other things in the store.
   */
  static readonly layer = (
    settings: FleetSettings["Service"],
    database = 0,
    seen?: Seen
  ): Layer.Layer<FleetMembership, FleetStoreFailed, FleetStore> =>
    Layer.effect(
      FleetMembership,
      Effect.gen(function* () {
        const { fleetPrefix, fleetLease } = settings
        const store = yield* FleetStore
        const clock = yield* Clock.clockWith(Effect.succeed)
        const scope = yield* Effect.scope
        const fork = Effect.runForkWith(yield* Effect.context<never>())
        const aloneOf = store.isConnected() ? undefined : seen?.machines
        const self = Told.make(nameOf(settings), fleetLease, clock.currentTimeMillisUnsafe())
        const told = JSON.stringify(self)
        const membership = new Membership({
          store,
          keys: Keys.make(fleetPrefix, database),
          id: randomBytes(12).toString("base64url"),
          told: () => told,
          lease: Duration.toMillis(fleetLease),
          aloneOf,
          now: () => Number(clock.monotonicTimeNanosUnsafe() / 1000n) / 1000,
          after: (milliseconds, call) =>
            milliseconds <= 0
              ? queueMicrotask(call)
              : void fork(Effect.forkIn(Effect.delay(Effect.sync(call), milliseconds), scope)),
          onChange: (isLost) =>
            void fork(
              isLost
                ? Effect.logWarning("this machine has lost its fleet: its leases have ended", {
                    store: store.name,
                    machines: membership.machines,
                    // Of a store that is there and refuses, such as one without memory, nothing else is logged.
                    reason: membership.failure ?? "they were not renewed in time"
                  })
                : Effect.logInfo("this machine is in its fleet again", { machines: membership.machines })
            )
        })
        yield* store.onConnect((run) => membership.connected(run))
        yield* Effect.addFinalizer(() => Effect.timeoutOption(leaving(membership), "500 millis"))
        if (aloneOf === undefined) {
          const others = yield* run(store, ListMachines, Beat.keys(membership.keys), [])
          const reason = Told.conflict(
            self,
            others.map(([, told]) => told)
          )
          if (reason !== undefined) return yield* new FleetStoreFailed({ store: store.name, reason })
          yield* membership.joined
        } else {
          yield* Effect.logWarning(
            "begins without its fleet: the store does not answer, and so many machines were seen last",
            { store: store.name, machines: aloneOf }
          )
        }
        const wait = membership.leasesFrom - membership.now()
        if (wait > 1000) {
          yield* Effect.logInfo("waits until the fleet's store leases, as it was empty or has started anew", {
            seconds: Math.ceil(wait / 1000)
          })
        }
        const beats = Effect.schedule(
          Effect.sync(() => membership.beat()),
          Schedule.spaced(Duration.millis(membership.lease / 3))
        )
        yield* Effect.forkScoped(beats)
        if (wait > 0) yield* Effect.sleep(wait)
        return membership
      })
    )
}

/** The name of a machine in its fleet. */
export const nameOf = ({ fleetMachine }: Pick<FleetSettings["Service"], "fleetMachine">): string =>
  fleetMachine === "auto" ? hostname() : fleetMachine

const leaving = (membership: Membership) =>
  Effect.callback<void>((resume) => membership.end(() => resume(Effect.void)))
