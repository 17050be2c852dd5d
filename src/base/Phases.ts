/**
 * The phases of a session: the places where an observer measures times and makes spans. Without an observer, a phase
 * costs one look-up.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** `handshake` contains `authenticate`, and `decide` contains `resolve`. */
export type Phase = "handshake" | "authenticate" | "decide" | "resolve" | "dial" | "relay"

export interface Observer {
  /** Runs a phase, and observes how long the phase takes. */
  readonly run: <A, E, R>(phase: Phase, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Called with a connection to the target. Returns a function to be called at the first byte of the target. */
  readonly awaitByte: (fiber: Fiber.Fiber<unknown, unknown>) => () => void
}

/** The observer of the present session; undefined where nothing observes. */
export const CurrentPhases = Context.Reference<Observer | undefined>("effect-socks/base/CurrentPhases", {
  defaultValue: () => undefined
})

/** Runs a phase under the observer, if there is one. */
export const run = <A, E, R>(phase: Phase, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => fiber.getRef(CurrentPhases)?.run(phase, effect) ?? effect)

/** The function to call at the first byte of the target; undefined without an observer. */
export const awaitByte = (fiber: Fiber.Fiber<unknown, unknown>): (() => void) | undefined =>
  fiber.getRef(CurrentPhases)?.awaitByte(fiber)
