/**
 * Requests for a reload whose outcome is waited for. Requests that come together are one reload.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"

export interface ReloadRequests {
  /** Asks for a reload. Fails with the reason if the earlier settings stay in force. */
  readonly request: Effect.Effect<void, string>
  /** Completes when there are requests. */
  readonly asked: Effect.Effect<void>
  /** Takes the requests so far. The returned function answers them: with a reason if the reload has failed. */
  readonly take: () => (reason: string | undefined) => void
}

export const make = (): ReloadRequests => {
  const isAsked = Latch.makeUnsafe()
  let waiting: Array<Deferred.Deferred<void, string>> = []
  return {
    request: Effect.suspend(() => {
      const done = Deferred.makeUnsafe<void, string>()
      waiting.push(done)
      isAsked.openUnsafe()
      return Deferred.await(done)
    }),
    asked: isAsked.await,
    take: () => {
      const taken = waiting
      waiting = []
      isAsked.closeUnsafe()
      return (reason) => {
        for (const done of taken)
          Deferred.doneUnsafe(done, reason === undefined ? Exit.void : Exit.fail(reason))
      }
    }
  }
}
