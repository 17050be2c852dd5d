/**
 * The state of a server's metrics: the counts of its sessions.
 */

import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Phases from "../base/Phases.ts"
import type { SessionEnded } from "../session/Event.ts"
import type { Session } from "../session/Session.ts"
import { type Definition, ofSessions } from "./Definitions.ts"
import { type Cell, Family, Histogram } from "./Series.ts"
import { MetricSettings } from "./Settings.ts"

/**
 * The counts of a server's sessions, in the registry of this context. Made before the server, so that an exporter around
 * the server exports the last session, too.
 */
export const make: Effect.Effect<Meters, never, MetricSettings> = Effect.gen(function* () {
  const { metricsUsers } = yield* MetricSettings
  return new Meters(yield* Effect.context<never>(), metricsUsers)
})

/** The number of rules with series of their own. */
const mostRules = 200

/** The number of members of routes with series of their own. */
export const mostMembers = 200

/** The outcomes that a limit caused. */
const byLimit: ReadonlySet<string> = new Set<SessionEnded["outcome"]>([
  "SessionLimitReached",
  "TooManyNewSessions",
  "QuotaExceeded",
  "lifetime",
  "quota"
])

export class Meters {
  readonly context: Context.Context<never>
  readonly denials: Family
  readonly logins: Family
  readonly limits: Family
  private readonly begun: Family
  private readonly ended: Family
  private readonly routes: Family
  private readonly duration: Histogram
  private readonly times: Readonly<Partial<Record<Phases.Phase, Histogram>>>
  private readonly firstByte: Histogram
  private readonly sent: Cell
  private readonly received: Cell
  private readonly userBytes: Family | undefined
  private readonly relayed: Cell
  private readonly dropped: Cell
  /** Brings series up to date that come and go, before metrics are read. */
  renew: () => void = () => {}
  /** The open sessions. */
  open: () => ReadonlyArray<Session> = () => []
  /** What was counted of open sessions with a request, by their numbers. */
  private readonly counted = new Map<number, Traffic>()
  private isFresh = false

  constructor(context: Context.Context<never>, users: number) {
    this.context = context
    const family = (definition: Definition, most?: number) => new Family(definition, context, most)
    /** The counts of open sessions are brought up to date when they are read. */
    const live = (definition: Definition, most?: number) =>
      new Family(definition, context, most, () => this.countOpen())
    this.begun = live(ofSessions.begun)
    this.ended = family(ofSessions.ended)
    this.routes = new Family(ofSessions.routes, context, mostMembers, undefined, true)
    this.denials = family(ofSessions.denials, mostRules)
    this.logins = family(ofSessions.logins)
    this.limits = family(ofSessions.limits)
    this.duration = new Histogram(ofSessions.duration, context)
    this.times = {
      handshake: new Histogram(ofSessions.handshake, context),
      resolve: new Histogram(ofSessions.resolve, context),
      dial: new Histogram(ofSessions.dial, context)
    }
    this.firstByte = new Histogram(ofSessions.firstByte, context)
    const bytes = live(ofSessions.bytes)
    this.sent = bytes.cell("sent")
    this.received = bytes.cell("received")
    this.userBytes = users > 0 ? live(ofSessions.userBytes, users) : undefined
    const datagrams = live(ofSessions.datagrams)
    this.relayed = datagrams.cell("relayed")
    this.dropped = datagrams.cell("dropped")
  }

  /** Measures phases that succeed. A phase that fails is counted by the outcome of its session. */
  readonly observer: Phases.Observer = {
    run: (phase, effect) => {
      const histogram = this.times[phase]
      if (histogram === undefined) return effect
      return Effect.withFiber((fiber) => {
        const clock = fiber.getRef(Clock.Clock)
        const startedAt = clock.monotonicTimeNanosUnsafe()
        return Effect.map(effect, (result) => {
          histogram.observe(secondsSince(clock, startedAt))
          return result
        })
      })
    },
    awaitByte: (fiber) => {
      const clock = fiber.getRef(Clock.Clock)
      const startedAt = clock.monotonicTimeNanosUnsafe()
      return () => this.firstByte.observe(secondsSince(clock, startedAt))
    }
  }

  /** Counts a session that ended. */
  end(event: SessionEnded): void {
    const { id, protocol = "none", outcome, isAdmitted, isAuthenticated, user } = event
    this.ended.cell(protocol, outcome).value++
    if (event.route !== undefined) this.routes.cell(event.route, event.member).value++
    if (isAdmitted) this.duration.observe(event.duration / 1000)
    if (isAdmitted && !this.counted.has(id)) this.begin(protocol, event.command)
    if (byLimit.has(outcome)) this.limits.cell(outcome).value++
    this.count(event, this.counted.get(id), isAuthenticated ? user : undefined)
    this.counted.delete(id)
  }

  /**
   * Counts open sessions that are new, and the bytes that open sessions have moved since the last time. Once in each
   * turn of the event loop. So a session pays nothing at its begin and for its bytes.
   */
  countOpen(): void {
    if (this.isFresh) return
    this.isFresh = true
    queueMicrotask(() => {
      this.isFresh = false
    })
    this.renew()
    for (const { id, traffic, user, protocol = "none", admitted } of this.open()) {
      if (admitted === undefined) continue
      if (!this.counted.has(id)) this.begin(protocol, admitted.request.command)
      this.count(traffic, this.counted.get(id), user)
      this.counted.set(id, { ...traffic })
    }
  }

  private begin(protocol: string, command: SessionEnded["command"]): void {
    this.begun.cell(protocol, String(command)).value++
  }

  private count(
    { sent, received, datagrams = 0, dropped = 0 }: Traffic,
    before: Traffic = nothing,
    user: string | undefined
  ): void {
    const up = sent - before.sent
    const down = received - before.received
    this.sent.value += up
    this.received.value += down
    this.relayed.value += datagrams - (before.datagrams ?? 0)
    this.dropped.value += dropped - (before.dropped ?? 0)
    if (user !== undefined && this.userBytes !== undefined) {
      this.userBytes.cell(user, "sent").value += up
      this.userBytes.cell(user, "received").value += down
    }
  }
}

interface Traffic {
  readonly sent: number
  readonly received: number
  readonly datagrams?: number | undefined
  readonly dropped?: number | undefined
}

const nothing: Traffic = { sent: 0, received: 0 }

const secondsSince = (clock: Clock.Clock, startedAt: bigint): number =>
  Number(clock.monotonicTimeNanosUnsafe() - startedAt) / 1e9
