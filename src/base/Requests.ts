/**
 * Requests that are sent as messages, and their answers. Each request has a
 * number, and its answer comes with the same number.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** Why there is no answer: it took too long, or the other side has ended. */
type NoAnswer = "late" | "gone"

export interface Requests<in To, in out A> {
  /** Sends a request with this number, and waits for the answer. */
  readonly ask: (to: To, send: (id: number) => void) => Effect.Effect<A, NoAnswer>
  /** The answer to a request. Returns false where no request to this one waits for it. */
  readonly answer: (from: To, id: number, answer: A) => boolean
  /** Fails the open requests to a side that has ended. */
  readonly remove: (to: To) => void
}

interface Request<To, A> {
  readonly to: To
  readonly complete: (answer: Effect.Effect<A, NoAnswer>) => void
}

/** Waits for an answer as long as `patience` says; without it, as long as it takes. */
export const make = <To, A>(patience?: Duration.Input): Requests<To, A> => {
  const open = new Map<number, Request<To, A>>()
  let count = 0
  const ask = (to: To, send: (id: number) => void) =>
    Effect.callback<A, NoAnswer>((resume) => {
      const id = ++count
      open.set(id, { to, complete: resume })
      send(id)
      return Effect.sync(() => void open.delete(id))
    })
  return {
    ask:
      patience === undefined
        ? ask
        : (to, send) =>
            Effect.timeoutOrElse(ask(to, send), { duration: patience, orElse: () => Effect.fail("late") }),
    answer: (from, id, answer) => {
      const request = open.get(id)
      if (request === undefined || request.to !== from) return false
      open.delete(id)
      request.complete(Effect.succeed(answer))
      return true
    },
    remove: (to) => {
      for (const [id, request] of open) {
        if (request.to !== to) continue
        open.delete(id)
        request.complete(Effect.fail("gone"))
      }
    }
  }
}
