/**
 * The span of a session: one for each session, with a child for each phase. Without a tracer there are no spans, and a
 * session costs what it costs without this file: Effect's own tracer makes spans that no one sees.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { defined } from "../base/Fields.ts"
import * as Phases from "../base/Phases.ts"
import type { SessionError } from "../Errors.ts"
import type { Ending } from "../network/Relay.ts"
import * as Session from "./Session.ts"

/**
 * The part of sessions that have spans, from 0 to 1, where there is a tracer. By default 1.
 *
 * **When to use**
 *
 * Provide it to a server whose sessions are too many to trace each of them.
 *
 * **Example** (Spans of one session in a hundred)
 *
 * ```ts
 * import { Layer } from "effect"
 * import { Server, SessionSampling } from "effect-socks"
 *
 * const ProxyLive = Server.layer().pipe(Layer.provide(Layer.succeed(SessionSampling, 0.01)))
 * ```
 */
export const SessionSampling = Context.Reference<number>("effect-socks/session/SessionSampling", {
  defaultValue: () => 1
})

/** Whether the tracer is off but for sampled sessions: see `untraced`. */
const IsOff = Context.Reference<boolean>("effect-socks/session/SessionSpan/IsOff", {
  defaultValue: () => false
})

/**
 * The context for connections of which not every session is sampled, with the tracer off. It is made once: a session that
 * turns the tracer off itself has a context of its own, and memory for it as long as it lasts.
 */
export const untraced = <R>(context: Context.Context<R>): Context.Context<R> =>
  Context.get(context, SessionSampling) >= 1 || !Context.get(context, References.TracerEnabled)
    ? context
    : context.pipe(Context.add(References.TracerEnabled, false), Context.add(IsOff, true))

/** Runs a session in a span if the session is sampled. The attributes are the fields of the session's log line. */
export const traced = <R>(
  session: Session.Session,
  effect: Effect.Effect<Ending, SessionError, R>
): Effect.Effect<Ending, SessionError, R> =>
  Effect.withFiber((fiber) => {
    const { tracer } = fiber.cache
    if (tracer === undefined || tracer === Tracer.nativeTracer) return effect
    const isOff = fiber.getRef(IsOff)
    if (!isSampled(fiber)) return isOff ? effect : Effect.withTracerEnabled(effect, false)
    const spanned = inSpan(session, effect, fiber)
    return isOff ? Effect.withTracerEnabled(spanned, true) : spanned
  })

const isSampled = (fiber: Fiber.Fiber<unknown, unknown>): boolean => {
  const part = fiber.getRef(SessionSampling)
  return part >= 1 || fiber.getRef(Random.Random).nextDoubleUnsafe() < part
}

const inSpan = <R>(
  session: Session.Session,
  effect: Effect.Effect<Ending, SessionError, R>,
  fiber: Fiber.Fiber<unknown, unknown>
): Effect.Effect<Ending, SessionError, R> =>
  effect.pipe(
    Effect.onExit((exit) =>
      Effect.clockWith((clock) =>
        Effect.annotateCurrentSpan(attributesOf(session, exit, clock.currentTimeMillisUnsafe()))
      )
    ),
    Effect.provideService(Phases.CurrentPhases, spans(fiber.getRef(Phases.CurrentPhases))),
    Effect.withSpan("session", { root: true, kind: "server" })
  )

/** Makes a span for each phase, and an event at the first byte of the target. */
const spans = (other: Phases.Observer | undefined): Phases.Observer => ({
  run: (phase, effect) => Effect.withSpan(other?.run(phase, effect) ?? effect, phase),
  awaitByte: (fiber) => {
    const tell = other?.awaitByte(fiber)
    const span = Context.getOption(fiber.context, Tracer.ParentSpan)
    const clock = fiber.getRef(Clock.Clock)
    return () => {
      tell?.()
      if (Option.isSome(span) && span.value._tag === "Span") {
        span.value.event("first byte", clock.currentTimeNanosUnsafe())
      }
    }
  }
})

const attributesOf = (
  session: Session.Session,
  exit: Exit.Exit<Ending, SessionError>,
  now: number
): Record<string, unknown> => {
  const outcome = Exit.isSuccess(exit)
    ? exit.value
    : Option.getOrElse(Cause.findErrorOption(exit.cause), () => session.outcome)
  const { _tag, ...fields } = Session.ended({ ...session, outcome }, now)
  return defined(fields)
}
