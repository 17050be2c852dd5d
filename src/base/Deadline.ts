/**
 * Deadlines: one timer serves thousands of them, as nearly all are called off long
 * before they are due.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import { unless } from "./Abortable.ts"
import { Queue } from "./Queue.ts"

/** Runs an effect. If it takes longer than `duration`, interrupts it and goes on with `otherwise`. */
export const within = <A, E, R, A2, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  duration: Duration.Duration,
  otherwise: Effect.Effect<A2, E2, R2>
): Effect.Effect<A | A2, E | E2, R | R2> =>
  Effect.withFiber((fiber) => unless(effect, (expire) => after(fiber, duration, expire), otherwise))

/**
 * Calls `expire` once after `duration`, by the clock of the fiber. Returns the
 * function that calls the deadline off.
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
  const queue = queues.get(millis) ?? new Queue<Deadline>()
  queues.set(millis, queue)
  const entry = queue.add({ at: now(clock) + millis, expire })
  if (known === undefined) start(clock, queues, fiber.getRef(Scheduler.Scheduler))
  return () => queue.delete(entry)
}

interface Deadline {
  readonly at: number
  readonly expire: () => void
}

/** The deadlines of a clock by their duration in milliseconds. The first one in each queue is due first. */
type Queues = Map<number, Queue<Deadline>>

/**
 * The timers that run now, one for each clock: the system's, and that of each test. A timer ends, and is removed here,
 * when it finds no deadline left. Every deadline is called off when the work with it ends, so no deadline outlives its
 * server, and a timer outlives the last server by at most `patience`.
 */
const running = new WeakMap<Clock.Clock, Queues>()

const start = (clock: Clock.Clock, queues: Queues, scheduler: Scheduler.Scheduler): void => {
  running.set(clock, queues)
  const context = Context.make(Clock.Clock, clock).pipe(Context.add(Scheduler.Scheduler, scheduler))
  Effect.runForkWith(context)(tick(clock, queues))
}

/** Milliseconds of a clock that is never set. */
export const now = (clock: Clock.Clock): number => Math.floor(Number(clock.monotonicTimeNanosUnsafe()) / 1e6)

/** The timer looks this often, in milliseconds, for new deadlines that are due before all others. */
const patience = 100

/** Expires the deadlines that are due, again and again until there is no deadline left. */
const tick = (clock: Clock.Clock, queues: Queues): Effect.Effect<void> =>
  Effect.suspend(() => {
    const time = now(clock)
    let next = Infinity
    for (const [duration, queue] of queues) {
      for (let first = queue.first; first !== undefined; first = queue.first) {
        const { at, expire } = first.item
        if (at > time) {
          next = Math.min(next, at)
          break
        }
        queue.delete(first)
        expire()
      }
      if (queue.first === undefined) queues.delete(duration)
    }
    if (next < Infinity)
      return Effect.andThen(Effect.sleep(Math.min(next - time, patience)), tick(clock, queues))
    running.delete(clock)
    return Effect.void
  })
