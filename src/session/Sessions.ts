/**
 * All open connections, and the limits on their number and duration.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as LogLevel from "effect/LogLevel"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { type LimitError, TooManyHandshakes, type TooManySessions } from "../Errors.ts"
import * as Admission from "../limits/Admission.ts"
import * as Descriptors from "../limits/Descriptors.ts"
import * as HandshakeLimiter from "../limits/HandshakeLimiter.ts"
import * as LimitKeys from "../limits/LimitKeys.ts"
import * as OpenFiles from "../limits/OpenFiles.ts"
import { Quotas } from "../limits/Quotas.ts"
import { LimitSettings } from "../limits/Settings.ts"
import * as SharedCounters from "../limits/SharedCounters.ts"
import { ListenSettings } from "../network/ListenSettings.ts"
import type { Peer } from "../network/Peer.ts"
import type { Ending, Traffic } from "../network/Relay.ts"
import type { Decision } from "../policy/Decision.ts"
import * as Session from "./Session.ts"
import type { Admitted } from "./States.ts"
import * as Summary from "./Summary.ts"

/** The numbers of open sessions, and their limits. */
export interface Census {
  readonly sessions: number
  readonly associations: number
  readonly handshakes: number
  /** Descriptors in use by connections. */
  readonly descriptors: number
  /** The limits of one process. */
  readonly limits?: { readonly sessions: number; readonly handshakes: number; readonly descriptors: number }
}

export class Sessions extends Context.Service<
  Sessions,
  {
    /** Takes on a connection, until it is closed. To end it before, the fiber that did this is interrupted. */
    readonly open: (
      peer: Peer
    ) => Effect.Effect<Session.Session, TooManyHandshakes, LimitSettings | ListenSettings>
    /** Lets go of a connection that has ended, and logs its session. */
    readonly close: (session: Session.Session) => Effect.Effect<void>
    /** Counts a connection for the client that the PROXY header names. */
    readonly attribute: (
      session: Session.Session,
      peer: Peer
    ) => Effect.Effect<void, TooManyHandshakes, LimitSettings | ListenSettings>
    /** Makes a connection whose request is read a session, which needs more descriptors. */
    readonly admit: (
      session: Session.Session,
      admitted: Admitted
    ) => Effect.Effect<Session.AdmittedSession, TooManySessions | LimitError, LimitSettings>
    /**
     * Counts a session for the rule of this decision too, if that has limits, until
     * the scope closes: once, however often it is asked for. The rule's quotas are
     * for what moves in `traffic`, the session's own where it is left out.
     */
    readonly chargeRule: (
      session: Session.AdmittedSession,
      decision: Decision,
      traffic?: Traffic
    ) => Effect.Effect<void, LimitError, Scope.Scope>
    /** Ends the session of a connection, and makes a new one of it. */
    readonly renew: (session: Session.Session) => Effect.Effect<void>
    /** Breaks a session off, which resets both its sides. */
    readonly end: (session: Session.Session, ending: Ending) => Effect.Effect<void>
    /** Notes that the system had no descriptor for a new connection. */
    readonly turnedAway: () => void
    /** The numbers of now, for the operator. */
    readonly census: Effect.Effect<Census, never, LimitSettings>
    /** All connections, the oldest first. */
    readonly list: Effect.Effect<ReadonlyArray<Session.Session>>
  }
>()("effect-socks/session/Sessions") {
  /** What it counts outlives a change of the settings, which it reads each time. */
  static readonly layer: Layer.Layer<Sessions, never, Quotas> = Layer.effect(
    Sessions,
    Effect.suspend(() => make)
  )
}

const make = Effect.gen(function* (): Effect.fn.Return<Sessions["Service"], never, Quotas | Scope.Scope> {
  const budget = yield* Descriptors.budget
  const openFiles = yield* OpenFiles.limit
  const counting = (yield* SharedCounters.SharedCounters)()
  const { nextId, requestMore } = counting
  const handshakes = HandshakeLimiter.make(Math.ceil(budget / 2), counting.fraction)
  const admission = Admission.make<Session.AdmittedSession>(yield* Quotas, counting, budget)
  const live = new Map<Session.Session, Fiber.Fiber<unknown, unknown>>()

  const used = () => live.size + admission.descriptors()
  const free = () => budget - used()

  const strangers = yield* Summary.make({
    after: "1 minute",
    pause: 0,
    log: (outcomes) => Effect.logInfo("connections that came to no request", { outcomes })
  })
  const turnedAway = yield* Summary.make({
    after: "1 second",
    pause: "1 minute",
    log: (counts) =>
      Effect.logWarning(`clients are turned away: ${adviceOn(counts)}`, { ...counts, openFiles })
  })

  const noteEnd = (session: Session.Session, fiber: Fiber.Fiber<unknown, unknown>) => {
    if (Session.isStranger(session)) strangers.note(Session.outcomeOf(session), leastLevelOf(fiber))
  }

  const close = (session: Session.Session) =>
    Effect.withFiber((fiber) => {
      live.delete(session)
      noteEnd(session, fiber)
      if (!admission.release(session, nowOf(fiber))) handshakes.change(session.origin, -1)
      return Session.log(session, isHintDue(Session.hintOf(session), nowOf(fiber)))
    })

  // A client can cause a hint as often as it likes.
  const hinted = new Map<string, number>()
  const isHintDue = (hint: string | undefined, now: number) => {
    if (hint === undefined || now - (hinted.get(hint) ?? Number.NEGATIVE_INFINITY) < hintEvery) return false
    hinted.set(hint, now)
    return true
  }

  /** Ends a session, unless it has ended already. */
  const cut = (session: Session.Session, ending: Ending) => {
    if (session.outcome !== undefined) return
    session.outcome = ending
    live.get(session)?.interruptUnsafe()
  }

  /** Tries again with slots that other processes give back, until none is left. */
  const insist = Effect.fnUntraced(function* <E extends LimitError | TooManySessions>(
    attempt: (now: number) => SharedCounters.Refused<E> | undefined,
    first: SharedCounters.Refused<E>
  ): Effect.fn.Return<void, E> {
    let refused: SharedCounters.Refused<E> | undefined = first
    while (refused) {
      const got: SharedCounters.Grant =
        refused.shortage && requestMore ? yield* requestMore(refused.shortage) : { wait: 0 }
      if ("wait" in got) return yield* Effect.fail(refused.error(got.wait))
      const now = yield* Clock.currentTimeMillis
      got.release()
      refused = attempt(now)
    }
  })

  // One clock for all, as a session need not end to the second.
  yield* Effect.forkScoped(
    Effect.schedule(
      Effect.map(Clock.currentTimeMillis, (now) => {
        for (const [session, ending] of admission.sweep(now)) cut(session, ending)
      }),
      Schedule.spaced("1 second")
    )
  )

  return {
    open: (peer) =>
      Effect.withFiber((fiber) => {
        const limits = limitsOf(fiber)
        const origin = HandshakeLimiter.originOf(peer, Context.getUnsafe(fiber.context, ListenSettings))
        const lot = fiber.getRef(Random.Random).nextDoubleUnsafe()
        const refusal = handshakes.refusal(origin, limits, lot)
        if (free() <= 0) {
          turnedAway.note("descriptors", leastLevelOf(fiber))
          return Effect.fail(new TooManyHandshakes({ limit: budget }))
        }
        if (refusal) {
          turnedAway.note("handshakes", leastLevelOf(fiber))
          return Effect.fail(refusal)
        }
        const session = Session.make(nextId(), nowOf(fiber), peer, origin)
        live.set(session, fiber)
        handshakes.change(origin, 1)
        return Effect.succeed(session)
      }),
    close,
    attribute: (session, peer) =>
      Effect.withFiber((fiber) => {
        if (peer === session.peer) return Effect.void
        const limits = limitsOf(fiber)
        const origin = HandshakeLimiter.originOf(peer, Context.getUnsafe(fiber.context, ListenSettings))
        const isSame = origin.host === session.origin.host
        const refusal = isSame ? undefined : handshakes.refusalOf(origin, limits)
        if (refusal) {
          turnedAway.note("handshakes", leastLevelOf(fiber))
          return Effect.fail(refusal)
        }
        handshakes.change(session.origin, -1)
        handshakes.change(origin, 1)
        session.origin = origin
        session.peer = peer
        return Effect.void
      }),
    admit: (connection, admitted) =>
      Effect.withFiber((fiber) => {
        const session = Session.admit(connection, admitted)
        const limits = limitsOf(fiber)
        const attempt = (now: number) => {
          const refused = admission.admit(session, limits, free(), now)
          if (refused === undefined) handshakes.change(session.origin, -1)
          return refused
        }
        const refused = attempt(nowOf(fiber))
        return refused
          ? insist(attempt, refused).pipe(
              Effect.tapErrorTag("TooManySessions", () =>
                Effect.sync(() => turnedAway.note("sessions", leastLevelOf(fiber)))
              ),
              Effect.as(session)
            )
          : Effect.succeed(session)
      }),
    chargeRule: (session, decision, traffic = session.traffic) => {
      const account = LimitKeys.ofRule(decision)
      if (account === undefined) return Effect.void
      return Effect.withFiber((fiber) => {
        let isAllotted = false
        const attempt = (now: number) => {
          const refused = admission.chargeRule(session, account, traffic, now)
          isAllotted = refused === undefined
          return refused
        }
        const giveBack = Effect.map(Clock.currentTimeMillis, (now) => {
          if (isAllotted) admission.giveBack(session, account, now)
        })
        // Before there is anything to give back: nothing can come between the two.
        return Effect.andThen(
          Effect.addFinalizer(() => giveBack),
          Effect.suspend(() => {
            const refused = attempt(nowOf(fiber))
            return refused ? insist(attempt, refused) : Effect.void
          })
        )
      })
    },
    renew: (session) =>
      Effect.andThen(
        Session.log(session),
        Effect.withFiber((fiber) => {
          const now = nowOf(fiber)
          noteEnd(session, fiber)
          // Back to where it was before `admit`, if it ever went there.
          if (admission.release(session, now)) handshakes.change(session.origin, 1)
          Session.renew(session, nextId(), now)
          return Effect.void
        })
      ),
    end: (session, ending) => Effect.sync(() => cut(session, ending)),
    turnedAway: () => turnedAway.note("descriptors"),
    census: Effect.map(LimitSettings, (limits) => {
      const counts = admission.count()
      return {
        ...counts,
        handshakes: handshakes.count(),
        descriptors: used(),
        limits: {
          sessions: admission.limit(limits),
          handshakes: handshakes.limit(limits),
          descriptors: budget
        }
      }
    }),
    list: Effect.sync(() => [...live.keys()])
  }
})

/** Milliseconds. */
const hintEvery = 60_000

/** The advice to the operator: more open files, or a higher limit where the operator has set one. */
const adviceOn = (counts: Readonly<Record<string, number>>): string => {
  if (counts.descriptors !== undefined) return `too few descriptors; ${OpenFiles.advice}`
  const settings = Object.keys(counts).map((kind) => `--max-${kind}`)
  return `${settings.join(" and ")} may be higher; if auto, ${OpenFiles.advice}`
}

// Asked of the fiber, as every connection asks several times.
const limitsOf = (fiber: Fiber.Fiber<unknown, unknown>): LimitSettings["Service"] =>
  Context.getUnsafe(fiber.context, LimitSettings)
const leastLevelOf = (fiber: Fiber.Fiber<unknown, unknown>): LogLevel.LogLevel =>
  fiber.getRef(References.MinimumLogLevel)
const nowOf = (fiber: Fiber.Fiber<unknown, unknown>): number =>
  fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
