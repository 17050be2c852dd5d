/**
 * Signals of the system, as something to wait for.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Output from "./Output.ts"

/**
 * From now on, until the scope closes, the signal does not end the process. Returns
 * an effect that completes at the next signal, or at once if there were signals
 * since it completed last.
 */
export const listen = Effect.fnUntraced(function* (
  signal: NodeJS.Signals
): Effect.fn.Return<Effect.Effect<void>, never, Scope.Scope> {
  const received = yield* Queue.sliding<void>(1)
  const notice = () => void Queue.offerUnsafe(received, undefined)
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on(signal, notice)),
    () => Effect.sync(() => process.off(signal, notice))
  )
  return Queue.take(received)
})

/** The signal to reload: SIGHUP, unless it was sent because the terminal was closed. */
export const reload: Effect.Effect<Effect.Effect<void>, never, Scope.Scope> = Effect.map(
  listen("SIGHUP"),
  (received) => Effect.repeat(received, { while: () => Output.hasLostTerminal() })
)
