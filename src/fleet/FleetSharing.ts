/**
 * What the machines of a fleet share beside leases: bans and failed logins, remembered logins, and the usage that quotas
 * count. Nothing in the path of a session waits for the store.
 */
import { createHmac } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { BanSharing } from "../bans/Bans.ts"
import type { BanSettings } from "../bans/Settings.ts"
import type { FleetStoreFailed } from "../Errors.ts"
import { CurrentLoginSharing } from "../limits/CoordinatorSeat.ts"
import { UsageSharing } from "../limits/Quotas.ts"
import { FleetMeasures } from "../metrics/Counting.ts"
import * as BanWordsFile from "./BanWordsFile.ts"
import * as ExchangeLoop from "./ExchangeLoop.ts"
import * as FleetBans from "./FleetBans.ts"
import { FleetLeader } from "./FleetLeader.ts"
import * as FleetLogins from "./FleetLogins.ts"
import { FleetMembership, nameOf } from "./FleetMembership.ts"
import { FleetPeers, make as makePeers } from "./FleetPeers.ts"
import * as FleetStart from "./FleetStart.ts"
import { FleetStore, run } from "./FleetStore.ts"
import * as FleetUsage from "./FleetUsage.ts"
import { channelOf as channelOfUsers, FleetUsers, make as makeUsers } from "./FleetUsers.ts"
import * as LastSeen from "./LastSeen.ts"
import type { FleetSettings } from "./Settings.ts"
import { Salt } from "./scripts/Salt.ts"
import * as UsageJournal from "./UsageJournal.ts"

/** `secret` is what the machines know and the store's data does not have: the password of the store. */
export const layer = (
  settings: Pick<FleetSettings["Service"], "fleetLostQuotas" | "fleetMachine"> &
    Pick<BanSettings["Service"], "stateDir">,
  secret: string,
  lastSeen = LastSeen.none
): Layer.Layer<
  FleetPeers | FleetStart.FleetStart | FleetUsers,
  FleetStoreFailed,
  FleetMembership | FleetStore
> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const { fleetLostQuotas, stateDir } = settings
      const store = yield* FleetStore
      const membership = yield* FleetMembership
      const leader = yield* FleetLeader
      const { keys, id } = membership
      const clock = yield* Clock.clockWith(Effect.succeed)
      const now = () => clock.currentTimeMillisUnsafe()
      const known = lastSeen.seen?.salt ?? crypto.randomUUID()
      const ask = run(store, Salt, [keys.ofBucket("salt", 0)], [known])
      const salt = yield* membership.isAlone() ? Effect.orElseSucceed(ask, () => known) : ask
      // So that machines that begin have the same salt also where the store was emptied.
      const keepSalt = run(store, Salt, [keys.ofBucket("salt", 0)], [salt]).pipe(
        Effect.andThen(Effect.suspend(() => lastSeen.keep({ machines: membership.machines, salt }))),
        Effect.ignore
      )
      yield* Effect.forkScoped(Effect.schedule(keepSalt, Schedule.spaced("2 seconds")))
      let failures = 0
      const counted = (exchange: Effect.Effect<void, FleetStoreFailed>) =>
        Effect.tapError(exchange, () => Effect.sync(() => void failures++))
      let unsent = () => 0
      const keyFor = (use: string) => createHmac("sha256", secret).update(`${use} ${salt}`).digest("base64")

      const banLoop = yield* ExchangeLoop.make
      const bans = FleetBans.make({
        ...{ store, keys, machine: id, key: keyFor("bans"), now, wake: banLoop.wake },
        wordsFile:
          stateDir === undefined ? BanWordsFile.none : yield* BanWordsFile.open(stateDir, keys.broadcast),
        machines: () => membership.machines,
        storeNow: () => membership.storeTime()
      })
      yield* store.subscribe(FleetBans.channelOf(keys), bans.receive)
      yield* Effect.addFinalizer(() => Effect.andThen(last(bans.exchange), bans.save))
      yield* Effect.forkScoped(Effect.schedule(bans.save, Schedule.spaced("2 seconds")))
      const served = yield* Latch.make()
      yield* banLoop.start(Effect.andThen(served.await, counted(bans.exchange)))

      const logins = FleetLogins.make({ store, keys, machine: id, key: keyFor("logins"), now })
      yield* store.subscribe(FleetLogins.channelOf(keys), logins.receive)
      yield* Effect.forkScoped(
        Effect.schedule(Effect.sync(logins.sweep), Schedule.spaced(ExchangeLoop.interval))
      )

      const userLoop = yield* ExchangeLoop.make
      const users = yield* makeUsers({ store, keys, stateDir })
      yield* store.subscribe(channelOfUsers(keys), userLoop.wake)
      yield* userLoop.start(counted(users.exchange))

      const shareUsage: Context.Service.Shape<typeof UsageSharing> = Effect.fnUntraced(function* (
        usage,
        { stateDir, quotaResetDay }
      ) {
        const loop = yield* ExchangeLoop.make
        const shared = FleetUsage.make(usage, {
          ...{ store, keys, id, now, resetDay: quotaResetDay, wake: loop.wake },
          journal: stateDir === undefined ? UsageJournal.none : yield* UsageJournal.open(stateDir),
          storeNow: () => membership.storeTime() ?? now(),
          weight: () => (membership.isLost && fleetLostQuotas === "share" ? membership.machines : 1),
          denies: () => membership.isLost && fleetLostQuotas === "deny"
        })
        yield* Effect.addFinalizer(() => Effect.andThen(last(shared.exchange), shared.save))
        yield* loop.start(counted(shared.exchange))
        unsent = shared.unsentBytes
        return shared
      })

      return Context.make(
        FleetPeers,
        yield* makePeers({ store, keys, self: { id, told: membership.told } })
      ).pipe(
        Context.add(FleetUsers, users),
        Context.add(FleetStart.FleetStart, {
          learn: (change) =>
            Effect.suspend(() =>
              membership.isAlone()
                ? Effect.void
                : FleetStart.within(
                    store.name,
                    Effect.andThen(bans.exchange, change === undefined ? Effect.void : users.catchUp(change))
                  )
            ).pipe(Effect.ensuring(served.open))
        }),
        Context.add(BanSharing, bans),
        Context.add(CurrentLoginSharing, logins),
        Context.add(UsageSharing, shareUsage),
        Context.add(FleetMeasures, {
          machine: nameOf(settings),
          machines: () => membership.machines,
          lost: () => (membership.isLost ? 1 : 0),
          failures: () => failures,
          unsent: () => unsent(),
          leads: leader && (() => (leader.leads() ? 1 : 0))
        })
      )
    })
  )

/** The last exchange, at the end. */
const last = (exchange: Effect.Effect<void, FleetStoreFailed>) =>
  Effect.ignore(Effect.timeoutOption(exchange, "1 second"))
