/**
 * Connection attempts with a staggered start (RFC 8305 §5).
 *
 * A fiber for each attempt that starts, and one deadline: nearly always the first attempt is the only one.
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Deadline from "../base/Deadline.ts"

/** Attempts that acquire a connection. */
type Attempts<A, E, R> = Arr.NonEmptyReadonlyArray<Effect.Effect<A, E, R>>

/** An attempt that has started, and the scope of its resources. */
interface Started<A, E> {
  readonly fiber: Fiber.Fiber<A, E>
  readonly scope: Scope.Closeable
}

/**
 * The result of the first attempt that succeeds. Each attempt starts when the attempt before has failed or has run for
 * `delay`, and runs until an attempt succeeds. The resources of the winner stay in the scope; those of the other
 * attempts are released. Fails when all attempts have failed, with their errors in the order of the attempts.
 */
export const first = <A, E, R>(
  attempts: Attempts<A, E, R>,
  delay: Duration.Duration
): Effect.Effect<A, Arr.NonEmptyReadonlyArray<E>, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.contextWith((context: Context.Context<Exclude<R, Scope.Scope> | Scope.Scope>) =>
    Effect.withFiber((parent) =>
      Effect.callback<A, Arr.NonEmptyReadonlyArray<E>>((resume) => {
        const started: Array<Started<A, E>> = []
        const failures: Array<Cause.Cause<E>> = []
        let failed = 0
        let isOver = false
        let callOff = () => {}

        const start = () => {
          const index = started.length
          const scope = Scope.forkUnsafe(Context.get(context, Scope.Scope))
          const own = Context.add(context, Scope.Scope, scope) as unknown as Context.Context<R>
          const fiber = Effect.runForkWith(own)(attempts[index]!)
          started.push({ fiber, scope })
          if (index + 1 < attempts.length) callOff = Deadline.after(parent, delay, start)
          fiber.addObserver((exit) => ended(index, exit))
        }

        const ended = (index: number, exit: Exit.Exit<A, E>) => {
          if (isOver) return
          if (Exit.isSuccess(exit)) {
            isOver = true
            callOff()
            const others = started.filter((_, other) => other !== index)
            const won = Effect.succeed(exit.value)
            return resume(others.length === 0 ? won : Effect.andThen(released(others), won))
          }
          failures[index] = exit.cause
          failed++
          if (index === started.length - 1 && started.length < attempts.length) {
            callOff()
            start()
          } else if (failed === attempts.length) {
            resume(failure(failures))
          }
        }

        start()
        return Effect.suspend(() => {
          isOver = true
          callOff()
          return released(started)
        })
      })
    )
  )

/** Ends attempts, and waits until nothing is left of them. */
const released = (attempts: ReadonlyArray<Started<unknown, unknown>>): Effect.Effect<void> =>
  Effect.forEach(
    attempts,
    ({ fiber, scope }) => Effect.andThen(Fiber.interrupt(fiber), Scope.close(scope, Exit.void)),
    { discard: true }
  )

/** A bug in an attempt, or else the errors of all. */
const failure = <E>(
  causes: ReadonlyArray<Cause.Cause<E>>
): Effect.Effect<never, Arr.NonEmptyReadonlyArray<E>> => {
  const errors: Array<E> = []
  for (const cause of causes) {
    const error = Cause.findErrorOption(cause)
    if (Option.isNone(error)) return Effect.failCause(cause as Cause.Cause<never>)
    errors.push(error.value)
  }
  return Effect.fail(errors as [E, ...Array<E>])
}
