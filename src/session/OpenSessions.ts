/**
 * The open sessions of a server, with their counts and limits: the state of `SessionRegistry`.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Finalizers from "../base/Finalizers.ts"
import { LiveSet } from "../base/LiveSet.ts"
import { type LimitError, TooManyHandshakes, type TooManySessions } from "../Errors.ts"
import * as Admission from "../limits/Admission.ts"
import * as HandshakeLimiter from "../limits/HandshakeLimiter.ts"
import * as LimitKeys from "../limits/LimitKeys.ts"
import type { Quotas } from "../limits/Quotas.ts"
import { LimitSettings } from "../limits/Settings.ts"
import type { Grant, Refused, SharedCounters } from "../limits/SharedCounters.ts"
import { ListenSettings } from "../network/ListenSettings.ts"
import type { Peer } from "../network/Peer.ts"
import type { Ending, Traffic } from "../network/Relay.ts"
import type { Decision } from "../policy/Decision.ts"
import type { ClientTurnedAway } from "./Event.ts"
import type { Events } from "./Events.ts"
import * as Session from "./Session.ts"
import type { Admitted, Running } from "./States.ts"

/** The numbers of open sessions, and their limits. */
export interface Census {
  readonly sessions: number
  readonly associations: number
  readonly handshakes: number
  /** Descriptors in use by connections. */
  readonly descriptors: number
  /** Bytes to targets so far, of open and of ended sessions. */
  readonly sent: number
  /** Bytes from targets so far, of open and of ended sessions. */
  readonly received: number
  /** The limits of one process. */
  readonly limits?: { readonly sessions: number; readonly handshakes: number; readonly descriptors: number }
}

interface Options {
  /** The number of descriptors for connections. */
  readonly budget: number
  readonly counters: SharedCounters
  readonly quotas: Quotas["Service"]
  readonly to: Events["Service"]["to"]
}

export class OpenSessions {
  private readonly live = new LiveSet<Session.Session>()
  private readonly handshakes: HandshakeLimiter.HandshakeLimiter
  private readonly admission: Admission.Admission<Session.AdmittedSession>
  private readonly budget: number
  private readonly counters: SharedCounters
  private readonly to: Events["Service"]["to"]
  /** Bytes of ended sessions. */
  private readonly ended = { sent: 0, received: 0 }

  constructor({ budget, counters, quotas, to }: Options) {
    this.budget = budget
    this.counters = counters
    this.to = to
    this.handshakes = HandshakeLimiter.make(Math.ceil(budget / 2), counters.fraction)
    this.admission = Admission.make(quotas, counters, budget)
  }

  open(peer: Peer): Effect.Effect<Session.Session, TooManyHandshakes, LimitSettings | ListenSettings> {
    return Effect.withFiber((fiber) => {
      const limits = limitsOf(fiber)
      const origin = originIn(fiber, peer)
      const lot = fiber.getRef(Random.Random).nextDoubleUnsafe()
      const refusal = this.handshakes.refusal(origin, limits, lot)
      if (this.free() <= 0) {
        return Effect.andThen(
          this.turnAway("descriptors"),
          Effect.fail(new TooManyHandshakes({ limit: this.budget }))
        )
      }
      if (refusal) return Effect.andThen(this.turnAway("handshakes"), Effect.fail(refusal))
      const session = Session.make(this.counters.nextId(), nowOf(fiber), peer, origin)
      session.fiber = fiber
      session.place = this.live.add(session)
      this.handshakes.change(origin, 1)
      return Effect.succeed(session)
    })
  }

  close(session: Session.Session): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const now = nowOf(fiber)
      this.live.delete(session, session.place)
      this.count(session.traffic)
      if (!this.admission.release(session, now)) this.handshakes.change(session.origin, -1)
      return this.to.SessionEnded?.(Session.ended(session, now)) ?? Effect.void
    })
  }

  attribute(
    session: Session.Session,
    peer: Peer
  ): Effect.Effect<void, TooManyHandshakes, LimitSettings | ListenSettings> {
    return Effect.withFiber((fiber) => {
      if (peer === session.peer) return Effect.void
      const origin = originIn(fiber, peer)
      const isSame = origin.host === session.origin.host
      const refusal = isSame ? undefined : this.handshakes.refusalOf(origin, limitsOf(fiber))
      if (refusal) return Effect.andThen(this.turnAway("handshakes"), Effect.fail(refusal))
      this.handshakes.change(session.origin, -1)
      this.handshakes.change(origin, 1)
      session.origin = origin
      session.peer = peer
      return Effect.void
    })
  }

  admit(
    connection: Session.Session,
    admitted: Admitted
  ): Effect.Effect<Session.AdmittedSession, TooManySessions | LimitError, LimitSettings> {
    return Effect.withFiber((fiber) => {
      const session = Session.admit(connection, admitted)
      const limits = limitsOf(fiber)
      const attempt = (now: number) => {
        const refused = this.admission.admit(session, limits, this.free(), now)
        if (refused === undefined) this.handshakes.change(session.origin, -1)
        return refused
      }
      const { SessionBegun } = this.to
      const begun = SessionBegun
        ? Effect.suspend(() => Effect.as(SessionBegun(Session.begun(session)), session))
        : Effect.succeed(session)
      const refused = attempt(nowOf(fiber))
      return refused
        ? this.retryWithGrants(attempt, refused).pipe(
            Effect.tapErrorTag("TooManySessions", () => this.turnAway("sessions")),
            Effect.andThen(begun)
          )
        : begun
    })
  }

  chargeRule(
    session: Session.AdmittedSession,
    decision: Decision,
    traffic: Traffic = session.traffic
  ): Effect.Effect<void, LimitError, Scope.Scope> {
    if (decision.limits === undefined) return Effect.void
    return Effect.withFiber((fiber) => {
      const account = LimitKeys.ofRule(decision, limitsOf(fiber))
      if (account === undefined) return Effect.void
      let isCharged = false
      const attempt = (now: number) => {
        const refused = this.admission.chargeRule(session, account, traffic, now)
        isCharged = refused === undefined
        return refused
      }
      const giveBack = Effect.map(Clock.currentTimeMillis, (now) => {
        if (isCharged) this.admission.giveBack(session, account, now)
      })
      // The finalizer is added before the charge, so that no interruption can come between them.
      return Effect.andThen(
        Finalizers.add(giveBack),
        Effect.suspend(() => {
          const refused = attempt(nowOf(fiber))
          return refused ? this.retryWithGrants(attempt, refused) : Effect.void
        })
      )
    })
  }

  connected(session: Session.Session, running: Running): Effect.Effect<void> {
    // A request that is made again on another connection is still one session.
    const isAgain = session.running !== undefined
    session.running = running
    if (isAgain) return Effect.void
    return this.to.SessionConnected?.(Session.connected(session.id, running)) ?? Effect.void
  }

  renew(session: Session.Session): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const now = nowOf(fiber)
      const ended = this.to.SessionEnded?.(Session.ended(session, now)) ?? Effect.void
      // After an admitted request, the connection is a handshake again.
      if (this.admission.release(session, now)) this.handshakes.change(session.origin, 1)
      this.count(session.traffic)
      Session.renew(session, this.counters.nextId(), now)
      return ended
    })
  }

  setBusy({ origin }: Session.Session, isBusy: boolean): void {
    this.handshakes.change(origin, isBusy ? -1 : 1)
  }

  /** Ends the session with this number. Looks at all sessions. Returns false if it is not open, or has an outcome already. */
  end(id: number, reason: Ending): boolean {
    for (const session of this.live) {
      if (session.id === id) return this.endSession(session, reason)
    }
    return false
  }

  /** Ends an open session. Returns false if it has an outcome already. */
  endSession(session: Session.Session, reason: Ending): boolean {
    if (session.outcome !== undefined) return false
    session.outcome = reason
    session.fiber?.interruptUnsafe()
    return true
  }

  /** Ends the sessions that have used up a quota or their lifetime. */
  endSpent(now: number): void {
    for (const [session, ending] of this.admission.sweep(now)) this.endSession(session, ending)
  }

  turnAway(lack: ClientTurnedAway["lack"]): Effect.Effect<void> {
    return this.to.ClientTurnedAway?.({ _tag: "ClientTurnedAway", lack }) ?? Effect.void
  }

  /** Reports to the other processes what is in use, because other limits hold from now on. */
  declareUse(): void {
    this.counters.declare?.()
  }

  census(limits: LimitSettings["Service"]): Census {
    return {
      ...this.admission.count(),
      handshakes: this.handshakes.count(),
      descriptors: this.used(),
      ...this.traffic(),
      limits: {
        sessions: this.admission.limit(limits),
        handshakes: this.handshakes.limit(limits),
        descriptors: this.budget
      }
    }
  }

  list(): ReadonlyArray<Session.Session> {
    return [...this.live].sort((one, other) => one.id - other.id)
  }

  /** Counts the bytes of a session that has ended. */
  private count({ sent, received }: Traffic): void {
    this.ended.sent += sent
    this.ended.received += received
  }

  private traffic(): { readonly sent: number; readonly received: number } {
    let { sent, received } = this.ended
    for (const { traffic } of this.live) {
      sent += traffic.sent
      received += traffic.received
    }
    return { sent, received }
  }

  private used(): number {
    return this.live.size + this.admission.descriptors()
  }

  private free(): number {
    return this.budget - this.used()
  }

  /** After a refused attempt, asks other processes for the exhausted slots, and retries while they give some. */
  private retryWithGrants<E extends LimitError | TooManySessions>(
    attempt: (now: number) => Refused<E> | undefined,
    first: Refused<E>
  ): Effect.Effect<void, E> {
    const { requestMore } = this.counters
    return Effect.gen(function* () {
      let refused: Refused<E> | undefined = first
      while (refused) {
        const got: Grant =
          refused.exhausted && requestMore ? yield* requestMore(refused.exhausted) : { wait: 0 }
        if ("wait" in got) return yield* Effect.fail(refused.error(got.wait))
        const now = yield* Clock.currentTimeMillis
        got.release()
        refused = attempt(now)
      }
    })
  }
}

// From the fiber directly, which is cheap: every connection calls these functions several times.
const limitsOf = (fiber: Fiber.Fiber<unknown, unknown>): LimitSettings["Service"] =>
  Context.getUnsafe(fiber.context, LimitSettings)
const originIn = (fiber: Fiber.Fiber<unknown, unknown>, peer: Peer): HandshakeLimiter.Origin =>
  HandshakeLimiter.originOf(peer, Context.getUnsafe(fiber.context, ListenSettings))
const nowOf = (fiber: Fiber.Fiber<unknown, unknown>): number =>
  fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
