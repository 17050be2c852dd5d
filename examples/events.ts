/**
 * What each user has moved, added up from the events of a server:
 *
 *     Layer.provideMerge(accounts(report), Server.layer({ … }))
 */
import { Effect, Layer, Stream } from "effect"
import { Events } from "effect-socks"

/** Reports a user's bytes of all sessions so far, whenever one of them ends. */
export const accounts = (report: (user: string, bytes: number) => void) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { stream } = yield* Events
      const totals = new Map<string, number>()
      const count = Stream.runForEach(stream(["SessionEnded"]), (event) =>
        Effect.suspend(() => {
          if (event._tag === "EventsMissed") return Effect.logWarning("sessions were not counted", event)
          const { isAuthenticated, user = "", sent, received } = event
          if (!isAuthenticated) return Effect.void
          totals.set(user, (totals.get(user) ?? 0) + sent + received)
          return Effect.sync(() => report(user, totals.get(user) ?? 0))
        })
      )
      yield* Effect.forkScoped(count, { startImmediately: true })
    })
  )
