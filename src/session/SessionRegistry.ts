/**
 * The service that has all open sessions, and enforces the limits on their number and duration.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { type LimitError, TooManyHandshakes, type TooManySessions } from "../Errors.ts"
import * as Admission from "../limits/Admission.ts"
import * as Descriptors from "../limits/Descriptors.ts"
import * as HandshakeLimiter from "../limits/HandshakeLimiter.ts"
import * as LimitKeys from "../limits/LimitKeys.ts"
import { Quotas } from "../limits/Quotas.ts"
import { LimitSettings } from "../limits/Settings.ts"
import * as SharedCounters from "../limits/SharedCounters.ts"
import { ListenSettings } from "../network/ListenSettings.ts"
import type { Peer } from "../network/Peer.ts"
import type { Ending, Traffic } from "../network/Relay.ts"
import type { Decision } from "../policy/Decision.ts"
import type { ClientTurnedAway } from "./Event.ts"
import { Events } from "./Events.ts"
import * as Session from "./Session.ts"
import type { Admitted, Running } from "./States.ts"

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

export class SessionRegistry extends Context.Service<
  SessionRegistry,
  {
    /** Registers a connection, until `close`. To end the connection, the service interrupts the calling fiber. */
    readonly open: (
      peer: Peer
    ) => Effect.Effect<Session.Session, TooManyHandshakes, LimitSettings | ListenSettings>
    /** Removes a connection that has closed, and ends its session. */
    readonly close: (session: Session.Session) => Effect.Effect<void>
    /** Counts a connection for `peer`, which the PROXY header named, and no longer for the proxy. */
    readonly attribute: (
      session: Session.Session,
      peer: Peer
    ) => Effect.Effect<void, TooManyHandshakes, LimitSettings | ListenSettings>
    /** Admits the request of a session: charges the limits of client and user, and the descriptors of the command. */
    readonly admit: (
      session: Session.Session,
      admitted: Admitted
    ) => Effect.Effect<Session.AdmittedSession, TooManySessions | LimitError, LimitSettings>
    /**
     * Charges the limits of the rule that decided, if the rule has limits, until the scope closes. A session counts
     * once for each rule, however often it is charged. The rule's quotas count the bytes in `traffic`, by default those
     * of the session.
     */
    readonly chargeRule: (
      session: Session.AdmittedSession,
      decision: Decision,
      traffic?: Traffic
    ) => Effect.Effect<void, LimitError, Scope.Scope>
    /** Notes that a session has a connection to its target. */
    readonly connected: (session: Session.Session, running: Running) => Effect.Effect<void>
    /** Ends a session, and begins the next session of its connection. */
    readonly renew: (session: Session.Session) => Effect.Effect<void>
    /** Ends the session with this number, by resetting its connections. Returns false if no such session is open. */
    readonly end: (id: number, reason: Ending) => Effect.Effect<boolean>
    /** To be called when the system had no descriptor for a new connection. */
    readonly turnedAway: Effect.Effect<void>
    /** To be called when the limits have changed: they hold for open sessions, too. */
    readonly limitsChanged: Effect.Effect<void>
    /** The present numbers, for the operator. */
    readonly census: Effect.Effect<Census, never, LimitSettings>
    /** The sessions of all connections, the oldest first. */
    readonly list: Effect.Effect<ReadonlyArray<Session.Session>>
  }
>()("effect-socks/session/SessionRegistry") {
  /** The counters outlive a reload: each call reads the settings of its fiber. */
  static readonly layer: Layer.Layer<SessionRegistry, never, Quotas | Events> = Layer.effect(
    SessionRegistry,
    Effect.suspend(() => make)
  )
}

const make = Effect.gen(function* (): Effect.fn.Return<
  SessionRegistry["Service"],
  never,
  Quotas | Events | Scope.Scope
> {
  const budget = yield* Descriptors.budget
  const { to } = yield* Events
  const counting = (yield* SharedCounters.SharedCounters)()
  const { nextId, requestMore } = counting
  const handshakes = HandshakeLimiter.make(Math.ceil(budget / 2), counting.fraction)
  const admission = Admission.make<Session.AdmittedSession>(yield* Quotas, counting, budget)
  const live = new Map<number, Live>()

  const used = () => live.size + admission.descriptors()
  const free = () => budget - used()

  const turnAway = (lack: ClientTurnedAway["lack"]) =>
    to.ClientTurnedAway?.({ _tag: "ClientTurnedAway", lack }) ?? Effect.void

  const close = (session: Session.Session) =>
    Effect.withFiber((fiber) => {
      const now = nowOf(fiber)
      live.delete(session.id)
      if (!admission.release(session, now)) handshakes.change(session.origin, -1)
      return to.SessionEnded?.(Session.ended(session, now)) ?? Effect.void
    })

  /** Ends a session, unless it has ended already. */
  const cut = (id: number, reason: Ending): boolean => {
    const found = live.get(id)
    if (found === undefined || found.session.outcome !== undefined) return false
    found.session.outcome = reason
    found.fiber.interruptUnsafe()
    return true
  }

  /** After a refused attempt, asks other processes for the exhausted slots, and retries while they give some. */
  const retryWithGrants = Effect.fnUntraced(function* <E extends LimitError | TooManySessions>(
    attempt: (now: number) => SharedCounters.Refused<E> | undefined,
    first: SharedCounters.Refused<E>
  ): Effect.fn.Return<void, E> {
    let refused: SharedCounters.Refused<E> | undefined = first
    while (refused) {
      const got: SharedCounters.Grant =
        refused.exhausted && requestMore ? yield* requestMore(refused.exhausted) : { wait: 0 }
      if ("wait" in got) return yield* Effect.fail(refused.error(got.wait))
      const now = yield* Clock.currentTimeMillis
      got.release()
      refused = attempt(now)
    }
  })

  // One timer for all sessions: a limit of duration is kept to the second.
  yield* Effect.forkScoped(
    Effect.schedule(
      Effect.map(Clock.currentTimeMillis, (now) => {
        for (const [{ id }, ending] of admission.sweep(now)) cut(id, ending)
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
          return Effect.andThen(
            turnAway("descriptors"),
            Effect.fail(new TooManyHandshakes({ limit: budget }))
          )
        }
        if (refusal) return Effect.andThen(turnAway("handshakes"), Effect.fail(refusal))
        const session = Session.make(nextId(), nowOf(fiber), peer, origin)
        live.set(session.id, { session, fiber })
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
        if (refusal) return Effect.andThen(turnAway("handshakes"), Effect.fail(refusal))
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
        const { SessionBegun } = to
        const entered = SessionBegun
          ? Effect.suspend(() => Effect.as(SessionBegun(Session.begun(session)), session))
          : Effect.succeed(session)
        const refused = attempt(nowOf(fiber))
        return refused
          ? retryWithGrants(attempt, refused).pipe(
              Effect.tapErrorTag("TooManySessions", () => turnAway("sessions")),
              Effect.andThen(entered)
            )
          : entered
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
        // The finalizer is added before the charge, so that no interruption can come between them.
        return Effect.andThen(
          Effect.addFinalizer(() => giveBack),
          Effect.suspend(() => {
            const refused = attempt(nowOf(fiber))
            return refused ? retryWithGrants(attempt, refused) : Effect.void
          })
        )
      })
    },
    connected: (session, running) => {
      session.running = running
      return to.SessionConnected?.(Session.connected(session.id, running)) ?? Effect.void
    },
    renew: (session) =>
      Effect.withFiber((fiber) => {
        const now = nowOf(fiber)
        const ended = to.SessionEnded?.(Session.ended(session, now)) ?? Effect.void
        // After an admitted request, the connection is a handshake again.
        if (admission.release(session, now)) handshakes.change(session.origin, 1)
        live.delete(session.id)
        Session.renew(session, nextId(), now)
        live.set(session.id, { session, fiber })
        return ended
      }),
    end: (id, reason) => Effect.sync(() => cut(id, reason)),
    turnedAway: turnAway("descriptors"),
    limitsChanged: Effect.sync(() => counting.declare?.()),
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
    list: Effect.sync(() => Array.from(live.values(), ({ session }) => session))
  }
})

/** A connection, and the fiber that serves it. */
interface Live {
  readonly session: Session.Session
  readonly fiber: Fiber.Fiber<unknown, unknown>
}

// From the fiber directly, which is cheap: every connection calls these functions several times.
const limitsOf = (fiber: Fiber.Fiber<unknown, unknown>): LimitSettings["Service"] =>
  Context.getUnsafe(fiber.context, LimitSettings)
const nowOf = (fiber: Fiber.Fiber<unknown, unknown>): number =>
  fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
