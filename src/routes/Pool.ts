/**
 * The members of a route: chooses one for each session, leaves alone the ones that fail, and tries another one in place
 * of a member that fails before a byte of the session has moved.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { type DialError, RouteUnable, type UpstreamError } from "../Errors.ts"
import { Breaker } from "./Breaker.ts"
import type * as Chain from "./Chain.ts"
import * as Choice from "./Choice.ts"
import type { Choice as ChoiceName } from "./RouteOptions.ts"

export interface Member {
  readonly name: string
  /** A text that is the same for the same member on every machine. */
  readonly id: string
  readonly hops: Chain.Hops
  readonly weight: number
}

export interface Options {
  /** The name of the route. */
  readonly route: string
  readonly members: ReadonlyArray<Member>
  readonly choose: ChoiceName
}

/** A member, with what was seen of it. */
export class Seen implements Member {
  readonly name: string
  readonly id: string
  readonly hops: Chain.Hops
  readonly weight: number
  readonly breaker = new Breaker()
  sessions = 0

  constructor({ name, id, hops, weight }: Member) {
    this.name = name
    this.id = id
    this.hops = hops
    this.weight = weight
  }
}

/** The most members that are tried for one session. */
const most = 3

export class Pool {
  readonly route: string
  readonly members: ReadonlyArray<Seen>
  private readonly choose: Choice.Choose<Seen>

  private constructor({ route, members, choose }: Options, random: () => number) {
    this.route = route
    this.members = members.map((member) => new Seen(member))
    this.choose = Choice.make(choose, this.members, random)
  }

  static readonly make = (options: Options): Effect.Effect<Pool> =>
    Effect.map(Random.Random, (random) => new Pool(options, () => random.nextDoubleUnsafe()))

  /** The number of members that are tried for one session. */
  get tries(): number {
    return Math.min(most, this.members.length)
  }

  /** The member that a session with this key would get now; undefined without members. */
  preview(key: string | undefined, now: number): Member | undefined {
    return this.pick(new Set(), key, now)
  }

  /**
   * Uses a member, and another one if an upstream of that one fails. What the upstream tells of the target is the
   * result. A member counts as used until the scope closes.
   */
  use<A, E, R>(
    key: string | undefined,
    attempt: (member: Member) => Effect.Effect<A, E | DialError, R>
  ): Effect.Effect<A, E | DialError, R | Scope.Scope> {
    const tried = new Set<Seen>()
    const next: Effect.Effect<A, E | DialError, R | Scope.Scope> = Effect.gen({ self: this }, function* () {
      const member = this.pick(tried, key, yield* Clock.currentTimeMillis)
      if (member === undefined)
        return yield* new RouteUnable({ reason: `the route ${this.route} has no member` })
      tried.add(member)
      member.sessions++
      member.breaker.begin()
      const leave = Effect.sync(() => void member.sessions--)
      return yield* attempt(member).pipe(
        Effect.onExit((exit) => this.seen(member, exit)),
        Effect.tap(() => Effect.addFinalizer(() => leave)),
        Effect.onError(() => leave)
      )
    })
    const again = (error: E | DialError): Effect.Effect<A, E | DialError, R | Scope.Scope> =>
      isOfUpstream(error) && tried.size < this.tries ? Effect.catch(next, again) : Effect.fail(error)
    return Effect.catch(next, again)
  }

  /** Notes how a session of a member went. What the upstream tells of a target tells nothing of the upstream. */
  private seen(member: Seen, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    if (Exit.isSuccess(exit)) return this.works(member)
    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    if (isOfUpstream(error)) return this.fails(member, error, false)
    return Effect.sync(() => member.breaker.abandon())
  }

  /** Notes that a member works. */
  works({ breaker, name: member }: Seen): Effect.Effect<void> {
    return Effect.suspend(() =>
      breaker.succeed()
        ? Effect.logInfo("an upstream works again", { route: this.route, member })
        : Effect.void
    )
  }

  /** Notes that a member fails. If that is certain, the member is left alone at once. */
  fails(
    { breaker, name: member }: Seen,
    { _tag: outcome, message: reason }: { readonly _tag: string; readonly message: string },
    isCertain: boolean
  ): Effect.Effect<void> {
    return Effect.clockWith((clock) =>
      breaker.fail(clock.currentTimeMillisUnsafe(), isCertain)
        ? Effect.logWarning("an upstream keeps failing", { route: this.route, member, outcome, reason })
        : Effect.void
    )
  }

  /** A member that was not tried yet; one that is left alone only if there is no other one. */
  private pick(tried: ReadonlySet<Seen>, key: string | undefined, now: number): Seen | undefined {
    return (
      this.choose((member) => !tried.has(member) && member.breaker.mayUse(now), key) ??
      this.choose((member) => !tried.has(member), key)
    )
  }
}

/** Whether an upstream itself has failed, so that another member may do better. */
export const isOfUpstream = (error: unknown): error is UpstreamError =>
  typeof error === "object" && error !== null && "_tag" in error && ofUpstream.has(String(error._tag))

const ofUpstream: ReadonlySet<string> = new Set([
  "UpstreamUnreachable",
  "UpstreamTimeout",
  "UpstreamLoginFailed",
  "UpstreamFailed"
])
