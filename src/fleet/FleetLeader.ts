/**
 * The machine that does the work of a fleet that one machine can do for all: health checks of upstreams, and the upkeep of
 * usage, whose months it sums up and removes. Effect's cluster chooses it, by locks in the PostgreSQL of the usage.
 *
 * A machine that cannot take part in the election, as the database or the fleet's store does not answer, does that work for
 * itself.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { UsageStoreFailed } from "../Errors.ts"
import { UsageUpkeep } from "../usage/UsageRecords.ts"
import { FleetMembership } from "./FleetMembership.ts"

/** Whether this machine leads. */
export interface Leader {
  readonly leads: () => boolean
  /** Calls this when that has changed, from now on. */
  readonly follow: (changed: (leads: boolean) => void) => void
}

/** The leader, where the settings ask for one. */
export const FleetLeader = Context.Reference<Leader | undefined>("effect-socks/fleet/FleetLeader", {
  defaultValue: () => undefined
})

/** What chooses: calls `lead` with whether this machine leads, until the scope closes. Fails where it cannot begin. */
export type Election = (
  id: string,
  lead: (leads: boolean) => void
) => Effect.Effect<void, UsageStoreFailed, Scope.Scope>

/** Failures in a row that are logged: machines that make the tables at the same time may fail once. */
const patience = 2

/** The time after a failure, and between two looks at whether this machine has its fleet. */
const pause = Duration.seconds(5)
const look = Duration.seconds(1)

/** Takes part in the election while this machine has its fleet, until the layer is released. */
export const layer = (elect: Election): Layer.Layer<never, never, FleetMembership> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const membership = yield* FleetMembership
      const fork = Effect.runForkWith(yield* Effect.context<never>())
      const followers = new Set<(leads: boolean) => void>()
      let leads = false
      /** Whether this machine takes part. */
      let isElector = false
      const lead = (next: boolean) => {
        if (leads === next) return
        leads = next
        fork(Effect.logInfo(next ? "this machine leads its fleet" : "this machine leads its fleet no longer"))
        for (const changed of followers) changed(next)
      }
      const until = (isLost: boolean): Effect.Effect<void> =>
        Effect.suspend(() =>
          membership.isLost === isLost ? Effect.void : Effect.andThen(Effect.sleep(look), until(isLost))
        )
      const taking = (isTaking: boolean) =>
        Effect.sync(() => {
          isElector = isTaking
          if (!isTaking) lead(false)
        })
      const part = Effect.gen(function* () {
        yield* elect(membership.id, lead)
        yield* taking(true)
        yield* until(true)
        // Before the end of the part, which waits for the database.
        yield* taking(false)
      }).pipe(
        Effect.scoped,
        Effect.ensuring(taking(false)),
        // The release of what the election has used may die, as of its connections: the next election needs none of that.
        Effect.catchDefect((defect) => Effect.fail({ message: String(defect) }))
      )
      const parts = Effect.gen(function* () {
        let failures = 0
        while (true) {
          yield* until(false)
          failures = yield* Effect.matchEffect(part, {
            onSuccess: () => Effect.succeed(0),
            onFailure: ({ message: reason }) =>
              Effect.as(
                failures + 1 === patience
                  ? Effect.logWarning("this machine cannot take part in the election of its fleet's leader", {
                      reason
                    })
                  : Effect.void,
                failures + 1
              )
          })
          yield* Effect.sleep(pause)
        }
      })
      // Not within the scope: the end of a part waits for the database, which may not answer.
      const running = yield* Effect.forkDetach(parts)
      yield* Effect.addFinalizer(() =>
        Effect.timeoutOption(Effect.interruptible(Fiber.interrupt(running)), "1 second")
      )
      return Context.make(FleetLeader, {
        leads: () => leads,
        follow: (changed) => void followers.add(changed)
      }).pipe(Context.add(UsageUpkeep, () => leads || !isElector))
    })
  )
