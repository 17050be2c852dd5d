/**
 * What a machine has to know of its fleet before it serves: the bans, the known users, and the changes of users that it
 * has missed. A store that does not answer delays the start by a bounded time only.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { FleetStoreFailed } from "../Errors.ts"
import type { MakeChange } from "./FleetUsers.ts"

/** How long a machine waits for the store before it serves without this. */
export const patience: Duration.Input = "3 seconds"

/** The time between two attempts. */
const pause: Duration.Input = "100 millis"

export class FleetStart extends Context.Service<
  FleetStart,
  {
    /**
     * Learns it. To be called once, when the bans of this machine's own file are restored and before it listens.
     * `change` makes a change of a user, on a machine that makes them.
     */
    readonly learn: (change?: MakeChange) => Effect.Effect<void>
  }
>()("effect-socks/fleet/FleetStart") {}

/** Does this until the store has answered, but not for longer than that. */
export const within = (store: string, looks: Effect.Effect<unknown, FleetStoreFailed>): Effect.Effect<void> =>
  looks.pipe(
    Effect.retry(Schedule.spaced(pause)),
    Effect.orDie,
    Effect.timeoutOption(patience),
    Effect.flatMap((known) =>
      Option.isSome(known)
        ? Effect.void
        : Effect.logWarning("serves without the fleet's bans and users: the store does not answer", { store })
    )
  )
