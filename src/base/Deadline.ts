/**
 * Deadlines, thousands of them on one timer: nearly all are called off long
 * before they are due.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import { unless } from "./Abortable.ts"

/** Runs an effect; if it takes longer than this, interrupts it and goes on with something else. */
export const within = <A, E, R, A2, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  duration: Duration.Duration,
  otherwise: Effect.Effect<A2, E2, R2>
): Effect.Effect<A | A2, E | E2, R | R2> =>
  Effect.withFiber((fiber) => unless(effect, (expire) => after(fiber, duration, expire), otherwise))

/**
 * Calls `expire` once, after this time by the clock of the fiber. Returns what
 * calls that off.
 */
export const after = (
  fiber: Fiber.Fiber<unknown, unknown>,
  duration: Duration.Duration,
  expire: () => void
): (() => void) => {
  if (!Duration.isFinite(duration)) return () => {}
  const millis = Duration.toMillis(duration)
  const clock = fiber.getRef(Clock.Clock)
  const known = running.get(clock)
  const queues: Queues = known ?? new Map()
  const queue = queues.get(millis) ?? new Set()
  queues.set(millis, queue)
  const deadline = { at: now(clock) + millis, expire }
  queue.add(deadline)
  if (known === undefined) start(clock, queues, fiber.getRef(Scheduler.Scheduler))
  return () => queue.delete(deadline)
}

interface Deadline {
  readonly at: number
  readonly expire: () => void
}

/** By their duration, in milliseconds. In each the first one is the next to be due. */
type Queues = Map<number, Set<Deadline>>

/**
 * The timers that run now, one for each clock: the system's, and that of each test. A timer ends, and goes from here,
 * when it finds no deadline left. Whoever sets a deadline calls it off at the end, so none outlives its server, and
 * its timer does by `patience` at most.
 */
const running = new WeakMap<Clock.Clock, Queues>()

const start = (clock: Clock.Clock, queues: Queues, scheduler: Scheduler.Scheduler): void => {
  running.set(clock, queues)
  const context = Context.make(Clock.Clock, clock).pipe(Context.add(Scheduler.Scheduler, scheduler))
  Effect.runForkWith(context)(tick(clock, queues))
}

const now = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)

/** Milliseconds after which the timer looks for what has come in meanwhile, and may be due before all else. */
const patience = 100

/** Lets expire what is due, and does so again for as long as there is anything that will be. */
const tick = (clock: Clock.Clock, queues: Queues): Effect.Effect<void> =>
  Effect.suspend(() => {
    const time = now(clock)
    let next = Infinity
    for (const [duration, queue] of queues) {
      for (const deadline of queue) {
        if (deadline.at > time) {
          next = Math.min(next, deadline.at)
          break
        }
        queue.delete(deadline)
        deadline.expire()
      }
      if (queue.size === 0) queues.delete(duration)
    }
    if (next < Infinity)
      return Effect.andThen(Effect.sleep(Math.min(next - time, patience)), tick(clock, queues))
    running.delete(clock)
    return Effect.void
  })
