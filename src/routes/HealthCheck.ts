/**
 * Health checks of members: each is tried again and again, with its own credentials, to a target behind it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Chain from "./Chain.ts"
import type { Pool } from "./Pool.ts"
import type { RouteOptions } from "./RouteOptions.ts"

/** The most checks at once. */
const atOnce = 32

/**
 * Checks all members until the scope closes, while the settings are in force. The first checks are spread over the time
 * between two.
 */
export const run = Effect.fnUntraced(function* (
  pool: Pool,
  { target, every }: NonNullable<RouteOptions["check"]>,
  isInForce: () => boolean
): Effect.fn.Return<void, never, Exclude<Chain.Services, Scope.Scope> | Scope.Scope> {
  const semaphore = yield* Semaphore.make(atOnce)
  for (const member of pool.members) {
    const check = Effect.scoped(Chain.connect(member.hops, target)).pipe(
      Effect.matchEffect({
        onSuccess: () => pool.works(member),
        // Even if the target is to blame: the target was chosen because it is always there.
        onFailure: (error) => pool.fails(member, error, { isCertain: true })
      }),
      semaphore.withPermits(1),
      Effect.when(Effect.sync(isInForce))
    )
    const start = pool.members.length === 1 ? 0 : yield* Random.nextBetween(0, Duration.toMillis(every))
    yield* Effect.forkScoped(
      Effect.andThen(Effect.sleep(start), Effect.schedule(check, Schedule.spaced(every)))
    )
  }
})
