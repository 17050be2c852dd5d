/**
 * Health checks of members: each is tried again and again, with its own credentials, to a target behind it. Where another
 * server checks for this one, too, what that one finds counts as if it had been found here.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Target from "../wire/Target.ts"
import * as Chain from "./Chain.ts"
import { type CheckFailure, CurrentCheckSharing } from "./CheckSharing.ts"
import type { Pool, Seen } from "./Pool.ts"
import type { RouteOptions } from "./RouteOptions.ts"

type Check = NonNullable<RouteOptions["check"]>

/** The most checks at once. */
const atOnce = 32

/**
 * Checks all members until the scope closes, while the settings are in force. The first checks are spread over the time
 * between two.
 */
export const run = Effect.fnUntraced(function* (
  pool: Pool,
  options: Check,
  isInForce: () => boolean
): Effect.fn.Return<void, never, Exclude<Chain.Services, Scope.Scope> | Scope.Scope> {
  const semaphore = yield* Semaphore.make(atOnce)
  const interval = Duration.toMillis(options.every)
  for (const member of pool.members) {
    const { isDue, tell } = yield* shared(pool, member, options, isInForce)
    const found = (failure?: CheckFailure) =>
      Effect.andThen(
        note(pool, member, failure),
        Effect.sync(() => tell(failure))
      )
    const check = Effect.scoped(Chain.connect(member.hops, options.target)).pipe(
      Effect.matchEffect({
        onSuccess: () => found(),
        onFailure: ({ _tag, message }) => found({ outcome: _tag, reason: message })
      }),
      semaphore.withPermits(1),
      Effect.when(Effect.sync(() => isInForce() && isDue()))
    )
    const start = pool.members.length === 1 ? 0 : yield* Random.nextBetween(0, interval)
    yield* Effect.forkScoped(
      Effect.andThen(Effect.sleep(start), Effect.schedule(check, Schedule.spaced(interval)))
    )
  }
})

/** Notes what a check has found. */
const note = (pool: Pool, member: Seen, failure: CheckFailure | undefined): Effect.Effect<void> =>
  failure === undefined
    ? pool.works(member)
    : // Even if the target is to blame: the target was chosen because it is always there.
      pool.fails(member, { _tag: failure.outcome, message: failure.reason }, { isCertain: true })

/** Follows the checks of others, where there are some, until the scope closes. */
const shared = Effect.fnUntraced(function* (
  pool: Pool,
  member: Seen,
  { target, every }: Check,
  isInForce: () => boolean
) {
  const sharing = yield* CurrentCheckSharing
  if (sharing === undefined) return { isDue: () => true, tell: () => {} }
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const interval = Duration.toMillis(every)
  const check = sharing.nameOf(`${pool.keyOf(member)} to ${Target.format(target)}`)
  let isToldDown = false
  /** Whether sessions of this server have failed, and nobody else says that the member does. */
  const isDownHere = () => member.breaker.isOpen && !isToldDown
  const take = ({ failure }: { readonly failure?: CheckFailure | undefined }) => {
    // What works for the others may fail from here.
    if (!isInForce() || (failure === undefined && isDownHere())) return
    isToldDown = failure !== undefined
    fork(note(pool, member, failure))
  }
  const known = sharing.latest(check, interval)
  if (known !== undefined && member.state.failures === 0) take(known)
  yield* Effect.acquireRelease(
    Effect.sync(() => sharing.follow(check, take)),
    (unfollow) => Effect.sync(unfollow)
  )
  return {
    isDue: () => isDownHere() || sharing.isDue(check, interval),
    tell: (failure?: CheckFailure) => sharing.tell({ check, failure })
  }
})
