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
  const timer = timerOf(fiber)
  const queue = timer.queues.get(millis) ?? new Set()
  timer.queues.set(millis, queue)
  const deadline = { at: timer.now() + millis, expire }
  queue.add(deadline)
  if (!timer.isRunning) {
    timer.isRunning = true
    timer.start()
  }
  return () => queue.delete(deadline)
}

interface Deadline {
  readonly at: number
  readonly expire: () => void
}

interface Timer {
  /** By their duration, in milliseconds. In each the first one is the next to be due. */
  readonly queues: Map<number, Set<Deadline>>
  readonly now: () => number
  isRunning: boolean
  readonly start: () => void
}

/** One for each clock: the system's, and that of each test. */
const timers = new WeakMap<Clock.Clock, Timer>()

const timerOf = (fiber: Fiber.Fiber<unknown, unknown>): Timer => {
  const clock = fiber.getRef(Clock.Clock)
  const existing = timers.get(clock)
  if (existing) return existing
  const run = Effect.runForkWith(
    Context.make(Clock.Clock, clock).pipe(Context.add(Scheduler.Scheduler, fiber.getRef(Scheduler.Scheduler)))
  )
  const timer: Timer = {
    queues: new Map(),
    now: () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n),
    isRunning: false,
    start: () => run(tick(timer))
  }
  timers.set(clock, timer)
  return timer
}

/** Milliseconds after which the timer looks for what has come in meanwhile, and may be due before all else. */
const patience = 100

/** Lets expire what is due, and does so again for as long as there is anything that will be. */
const tick = (timer: Timer): Effect.Effect<void> =>
  Effect.suspend(() => {
    const now = timer.now()
    let next = Infinity
    for (const [duration, queue] of timer.queues) {
      for (const deadline of queue) {
        if (deadline.at > now) {
          next = Math.min(next, deadline.at)
          break
        }
        queue.delete(deadline)
        deadline.expire()
      }
      if (queue.size === 0) timer.queues.delete(duration)
    }
    timer.isRunning = next < Infinity
    return timer.isRunning
      ? Effect.andThen(Effect.sleep(Math.min(next - now, patience)), tick(timer))
      : Effect.void
  })
