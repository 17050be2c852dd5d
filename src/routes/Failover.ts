/**
 * Gets a session through a member of a pool. Another one is tried in place of a member that fails, and beside a member that
 * is slow. The first that gets through is taken, and the others are closed, before a byte of the session has moved.
 */
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Deadline from "../base/Deadline.ts"
import * as Finalizers from "../base/Finalizers.ts"
import { type DialError, RouteUnable, type UpstreamError } from "../Errors.ts"
import type { Way } from "../network/Dialer.ts"
import * as HappyEyeballs from "../network/HappyEyeballs.ts"
import { NetworkSettings } from "../network/Settings.ts"
import * as Chain from "./Chain.ts"
import * as Labels from "./Labels.ts"
import * as MemberStates from "./MemberStates.ts"
import { type Asked, type Member, type Pool, pick, type Seen } from "./Pool.ts"
import type { JudgedTarget } from "./Route.ts"

/** The most members that are tried for one session. */
const most = 3

/**
 * The most attempts of all sessions beside others: targets that are silent would have each session take three connections
 * otherwise.
 */
const mostBeside = 256

/** Gets through a member, within the time that `progress` has left. */
type Attempt<A, E, R> = (member: Member, progress: Chain.Progress) => Effect.Effect<A, E | DialError, R>

/**
 * The result of the first member whose attempt gets through, or whose upstream tells of the target. All attempts together
 * have the connect timeout. When a member has taken its share of that time, another one is tried beside it, if one works as
 * far as is known: so a slow member is waited for, and a silent one costs no more than its share. A member counts as used
 * until the scope closes. `log` takes the way whose error is the result.
 */
export const use = Effect.fnUntraced(function* <A, E, R>(
  pool: Pool,
  asked: Asked,
  attempt: Attempt<A, E, R>,
  log: JudgedTarget["log"] = {}
): Effect.fn.Return<A, E | DialError, R | NetworkSettings | Scope.Scope> {
  const group = pool.groupFor(asked.labels)
  const places = Math.min(most, group.members.length)
  if (places === 0) return yield* without(pool, asked)
  const { connectTimeout } = yield* NetworkSettings
  const clock = yield* Clock.Clock
  const until = Deadline.now(clock) + Duration.toMillis(connectTimeout)
  const tried = new Set<Seen>()
  let underWay = 0
  /** Done when none is under way any more. */
  let none = Deferred.makeUnsafe<void>()
  /** The place of the attempt whose result is taken. */
  let winner = -1
  /** The last error of an upstream. */
  let lastError: E | DialError | undefined

  const note = (member: Seen) => {
    log.way = wayOf(pool, member)
  }

  const begin = (member: Seen) => {
    tried.add(member)
    underWay++
    MemberStates.count(member.state, 1)
    member.breaker.begin()
    note(member)
  }

  /** Notes how an attempt went. What an upstream tells of a target tells nothing of the upstream. */
  const end = (member: Seen, place: number, progress: Chain.Progress, exit: Exit.Exit<A, E | DialError>) => {
    if (--underWay === 0) {
      Deferred.doneUnsafe(none, Effect.void)
      none = Deferred.makeUnsafe()
    }
    const isLate = winner > place
    if (Exit.isSuccess(exit)) {
      if (winner === -1) winner = place
      return pool.works(member)
    }
    const error = Option.getOrUndefined(Exit.findErrorOption(exit)) ?? (isLate ? progress.timeout : undefined)
    if (winner === -1 && error !== undefined) {
      note(member)
      if (isOfUpstream(error)) lastError = error
      else winner = place
    }
    return isOfUpstream(error)
      ? pool.fails(member, error, { by: "after" in error ? (asked.by ?? "") : undefined })
      : Effect.sync(() => member.breaker.abandon())
  }

  const through = (member: Seen, place: number, isBeside: boolean) =>
    Effect.suspend(() => {
      if (isBeside) pool.beside++
      const progress = new Chain.Progress(until)
      const leave = Effect.sync(() => MemberStates.count(member.state, -1))
      begin(member)
      return attempt(member, progress).pipe(
        Effect.onExit((exit) => {
          if (isBeside) pool.beside--
          return end(member, place, progress, exit)
        }),
        Effect.tap(() => Finalizers.add(leave)),
        Effect.onError(() => leave)
      )
    })

  const next = (place: number): Effect.Effect<Result.Result<A, E | DialError>, unknown, R | Scope.Scope> =>
    Effect.suspend(() => {
      if (Deadline.now(clock) >= until) return Effect.fail(lastError)
      const isBeside = underWay > 0
      const isFull = isBeside && pool.beside >= mostBeside
      const member = isFull
        ? undefined
        : pick(group, tried, asked.key, clock.currentTimeMillisUnsafe(), isBeside)
      if (member !== undefined) {
        return Effect.matchEffect(through(member, place, isBeside), {
          onSuccess: (value) => Effect.succeed(Result.succeed(value)),
          onFailure: (error) =>
            isOfUpstream(error) ? Effect.fail(error) : Effect.succeed(Result.fail(error))
        })
      }
      // Members that are left alone are for a session of which all others have failed.
      return isBeside ? Effect.andThen(Deferred.await(none), next(place)) : Effect.fail(lastError)
    })

  // One member needs no staggered start.
  const result =
    places === 1
      ? yield* Effect.mapError(next(0), () => lastError!)
      : yield* HappyEyeballs.first(
          Arr.makeBy(places, next),
          Duration.divideUnsafe(connectTimeout, places)
        ).pipe(Effect.mapError(() => lastError!))
  return yield* Effect.fromResult(result)
})

/** The way through a member, which has a name only among others. */
export const wayOf = ({ route, members }: Pool, { name }: Member): Way => ({
  route,
  ...(members.length > 1 && { member: name })
})

const without = ({ route }: Pool, { labels }: Asked): Effect.Effect<never, RouteUnable> => {
  const wanted = labels.length === 0 ? "" : ` with ${Labels.format(labels)}`
  return Effect.fail(new RouteUnable({ reason: `the route ${route} has no member${wanted}` }))
}

/** Whether an upstream itself has failed, so that another member may do better. */
const isOfUpstream = (error: unknown): error is UpstreamError =>
  typeof error === "object" && error !== null && "_tag" in error && ofUpstream.has(String(error._tag))

const ofUpstream: ReadonlySet<string> = new Set([
  "UpstreamUnreachable",
  "UpstreamTimeout",
  "UpstreamLoginFailed",
  "UpstreamFailed"
])
