/**
 * Connection attempts with a staggered start (RFC 8305 §5).
 */
import type * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

/** Attempts that acquire a connection. */
type Attempts<A, E, R> = Arr.NonEmptyReadonlyArray<Effect.Effect<A, E, R>>

/**
 * The result of the first attempt that succeeds. Each attempt starts when the attempt before has failed or has run for
 * `delay`, and runs until an attempt succeeds. The resources of the winner stay in the scope; those of the other
 * attempts are released. Fails when all attempts have failed, with their errors in the order of the attempts.
 */
export const first = Effect.fnUntraced(function* <A, E, R>(
  attempts: Attempts<A, E, R>,
  delay: Duration.Input
): Effect.fn.Return<A, Arr.NonEmptyReadonlyArray<E>, Exclude<R, Scope.Scope> | Scope.Scope> {
  const parent = yield* Effect.scope
  const scopes = attempts.map(() => Scope.forkUnsafe(parent))
  const errors: Array<E> = []

  const from = (
    index: number
  ): Effect.Effect<{ readonly index: number; readonly value: A }, E, Exclude<R, Scope.Scope>> =>
    Effect.suspend(() => {
      const failed = Deferred.makeUnsafe<void>()
      const attempt = attempts[index]!.pipe(
        Scope.provide(scopes[index]!),
        Effect.map((value) => ({ index, value })),
        Effect.tapError((error) => {
          errors[index] = error
          return Deferred.succeed(failed, undefined)
        })
      )
      if (index === attempts.length - 1) return attempt
      const others = Effect.andThen(Effect.timeoutOption(Deferred.await(failed), delay), from(index + 1))
      return Effect.race(attempt, others)
    })

  const winner = yield* Effect.mapError(from(0), () => errors as [E, ...Array<E>])
  yield* Effect.forEach(scopes, (scope, index) =>
    index === winner.index ? Effect.void : Scope.close(scope, Exit.void)
  )
  return winner.value
})
