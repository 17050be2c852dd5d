/**
 * Gets a session through a member of a pool. Another one is tried in place of a member that fails, and beside a member that
 * is slow. The first that gets through is taken, and the others are closed, before a byte of the session has moved.
 */
import * as Arr from "effect/Array"
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Deadline from "../base/Deadline.ts"
import * as Finalizers from "../base/Finalizers.ts"
import { type DialError, RouteUnable, type UpstreamError, UpstreamTimeout } from "../Errors.ts"
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
export const use = <A, E, R>(
  pool: Pool,
  asked: Asked,
  attempt: Attempt<A, E, R>,
  log: JudgedTarget["log"] = {}
): Effect.Effect<A, E | DialError, R | NetworkSettings | Scope.Scope> =>
  Effect.flatMap(NetworkSettings, ({ connectTimeout }) =>
    Effect.clockWith((clock) => attempted({ pool, asked, attempt, log, connectTimeout, clock }))
  )

interface Options<A, E, R> {
  readonly pool: Pool
  readonly asked: Asked
  readonly attempt: Attempt<A, E, R>
  readonly log: { way?: Way | undefined }
  readonly connectTimeout: Duration.Duration
  readonly clock: Clock.Clock
}

const attempted = <A, E, R>({
  pool,
  asked,
  attempt,
  log,
  connectTimeout,
  clock
}: Options<A, E, R>): Effect.Effect<A, E | DialError, R | Scope.Scope> => {
  const group = pool.groupFor(asked.labels)
  const places = Math.min(most, group.members.length)
  if (places === 0) return without(pool, asked)
  const until = Deadline.now(clock) + Duration.toMillis(connectTimeout)
  const tried = new Set<Seen>()
  let underWay = 0
  /** Done when none is under way any more; undefined if nobody waits for that. */
  let none: Deferred.Deferred<void> | undefined
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
    if (--underWay === 0 && none !== undefined) {
      Deferred.doneUnsafe(none, Effect.void)
      none = undefined
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
      progress.upstream = member.hops[0].shown
      const leave = Effect.sync(() => MemberStates.count(member.state, -1))
      begin(member)
      return Effect.onExit(attempt(member, progress), (exit) => {
        if (isBeside) pool.beside--
        const noted = end(member, place, progress, exit)
        return Effect.andThen(Exit.isSuccess(exit) ? Finalizers.add(leave) : leave, noted)
      })
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
      if (!isBeside) return Effect.fail(lastError)
      none ??= Deferred.makeUnsafe()
      return Effect.andThen(Deferred.await(none), next(place))
    })

  const all = Effect.suspend(() => {
    // One member needs no staggered start.
    if (places === 1) {
      const only = pick(group, tried, asked.key, clock.currentTimeMillisUnsafe())
      return only === undefined ? without(pool, asked) : through(only, 0, false)
    }
    return HappyEyeballs.first(Arr.makeBy(places, next), Duration.divideUnsafe(connectTimeout, places)).pipe(
      Effect.mapError(() => lastError!),
      Effect.flatMap(Effect.fromResult)
    )
  })
  return asked.flow === undefined
    ? all
    : pool.sessions.run(asked.flow, all, {
        isAnswer: (error) => !isOfUpstream(error) || error._tag !== "UpstreamTimeout",
        within: (turn) => inTime(pool, turn, connectTimeout, log)
      })
}

/** Waits for a turn, for as long as a session may take to connect. */
export const inTime = (
  { route, members }: Pool,
  turn: Effect.Effect<void>,
  connectTimeout: Duration.Duration,
  log: JudgedTarget["log"] = {}
): Effect.Effect<void, UpstreamTimeout> =>
  Deadline.within(
    turn,
    connectTimeout,
    Effect.suspend(() => {
      log.way = { route }
      return Effect.fail(new UpstreamTimeout({ upstream: members[0]!.hops[0].shown, after: "queue" }))
    })
  )

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
