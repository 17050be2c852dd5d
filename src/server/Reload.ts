/**
 * Reloads: a running server takes new settings. Settings that cannot be read or served change nothing, and are logged
 * as an error.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as ListenAddress from "../config/ListenAddress.ts"
import { Events } from "../session/Events.ts"
import type * as Generation from "./Generation.ts"
import { type Refusal, RunningServer } from "./RunningServer.ts"

/** Builds the services anew, and puts them in force. A failure changes nothing. */
export const once = Effect.fnUntraced(function* <E>(
  services: Layer.Layer<Generation.Services, E>
): Effect.fn.Return<void, E | Refusal, RunningServer> {
  const server = yield* RunningServer
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const scope = yield* Scope.make()
  const release = () => void fork(Scope.close(scope, Exit.void))
  yield* Layer.buildWithScope(Layer.fresh(services), scope).pipe(
    Effect.flatMap((built) => server.reload(built, release)),
    Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
  )
})

/** Runs a reload, and logs and emits its outcome. */
export const reported = <E, R>(
  reload: Effect.Effect<void, E, R>
): Effect.Effect<void, E, R | RunningServer | Events> =>
  Effect.onExit(reload, (exit) =>
    Effect.gen(function* () {
      const { to } = yield* Events
      if (Exit.isSuccess(exit)) {
        const { listeners, asksPassword } = yield* RunningServer
        const addresses = listeners.map(ListenAddress.format)
        yield* Effect.logInfo("reloaded", { addresses, asksPassword })
        yield* to.Reloaded?.({ _tag: "Reloaded", addresses, asksPassword }) ?? Effect.void
      } else {
        const reason = reasonOf(exit.cause)
        yield* Effect.logError("not reloaded: the earlier settings stay in force", { reason })
        yield* to.ReloadFailed?.({ _tag: "ReloadFailed", reason }) ?? Effect.void
      }
    })
  )

/**
 * An effect that reloads. Concurrent reloads run one after the other. The effect never fails: it logs, emits and returns
 * the outcome, with errors mapped by `placed`.
 */
export const make = Effect.fnUntraced(function* <E>(
  services: Layer.Layer<Generation.Services, E>,
  placed: (error: E | Refusal) => E | Refusal = (error) => error
): Effect.fn.Return<Effect.Effect<Exit.Exit<void, E | Refusal>>, never, RunningServer | Events> {
  const context = yield* Effect.context<RunningServer | Events>()
  return reported(Effect.mapError(once(services), placed)).pipe(
    Effect.exit,
    Effect.provideContext(Context.pick(RunningServer, Events)(context)),
    (yield* Semaphore.make(1)).withPermits(1)
  )
})

/** The sentence about a reload that failed. */
export const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : Cause.pretty(cause)
}
