/**
 * The service that has all open sessions, and enforces the limits on their number and duration.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { LimitError, TooManyHandshakes, TooManySessions } from "../Errors.ts"
import * as Descriptors from "../limits/Descriptors.ts"
import { Quotas } from "../limits/Quotas.ts"
import { LimitSettings } from "../limits/Settings.ts"
import * as SharedCounters from "../limits/SharedCounters.ts"
import type { ListenSettings } from "../network/ListenSettings.ts"
import type { Peer } from "../network/Peer.ts"
import type { Ending, Traffic } from "../network/Relay.ts"
import type { Decision } from "../policy/Decision.ts"
import { Events } from "./Events.ts"
import { type Census, OpenSessions } from "./OpenSessions.ts"
import type * as Session from "./Session.ts"
import type { Admitted, Running } from "./States.ts"

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
    /** A connection with requests of their own is no handshake while it is busy with one. Must be told before `close`. */
    readonly setBusy: (session: Session.Session, isBusy: boolean) => void
    /** Ends a session, and begins the next session of its connection. */
    readonly renew: (session: Session.Session) => Effect.Effect<void>
    /** Ends the session with this number, by resetting its connections. Returns false if no such session is open. */
    readonly end: (id: number, reason: Ending) => Effect.Effect<boolean>
    /** The same for a session of `list`, which is not looked for: where many end at once. */
    readonly endSession: (session: Session.Session, reason: Ending) => Effect.Effect<boolean>
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
  const quotas = yield* Quotas
  const sessions = new OpenSessions({
    budget: yield* Descriptors.budget,
    counters: (yield* SharedCounters.SharedCounters)(),
    quotas,
    to: (yield* Events).to
  })
  // One timer for all sessions: a limit of duration is kept to the second. Usage is recorded within a second, with the
  // time to write it.
  yield* Effect.forkScoped(
    Effect.schedule(
      Effect.map(Clock.currentTimeMillis, (now) => sessions.endSpent(now)),
      Schedule.spaced(quotas.isRecorded ? "400 millis" : "1 second")
    )
  )
  return {
    open: (peer) => sessions.open(peer),
    close: (session) => sessions.close(session),
    attribute: (session, peer) => sessions.attribute(session, peer),
    admit: (session, admitted) => sessions.admit(session, admitted),
    chargeRule: (session, decision, traffic) => sessions.chargeRule(session, decision, traffic),
    connected: (session, running) => sessions.connected(session, running),
    setBusy: (session, isBusy) => sessions.setBusy(session, isBusy),
    renew: (session) => sessions.renew(session),
    end: (id, reason) => Effect.sync(() => sessions.end(id, reason)),
    endSession: (session, reason) => Effect.sync(() => sessions.endSession(session, reason)),
    turnedAway: Effect.suspend(() => sessions.turnAway("descriptors")),
    limitsChanged: Effect.sync(() => sessions.declareUse()),
    census: Effect.map(LimitSettings, (limits) => sessions.census(limits)),
    list: Effect.sync(() => sessions.list())
  }
})
