/**
 * What goes on in a proxy, for an admin page: the sessions there are, an end to those of one user, and a line for each
 * that ends.
 */
import { Effect, Stream } from "effect"
import { Sessions } from "effect-socks"

/** A row for each session. */
export const rows = Effect.gen(function* () {
  const { list } = yield* Sessions
  return (yield* list).map(
    ({ id, user = "-", target = "-", sent, received }) => `${id} ${user} ${target} ${sent} ${received}`
  )
})

/** Ends every session of a user, and says how many these were. */
export const endAllOf = Effect.fnUntraced(function* (user: string) {
  const { list, end } = yield* Sessions
  const theirs = (yield* list).filter((session) => session.user === user)
  yield* Effect.forEach(theirs, ({ id }) => end(id, "denied"), { discard: true })
  return theirs.length
})

/** Writes a line for each session that ends. */
export const follow = (write: (line: string) => void) =>
  Effect.gen(function* () {
    const { events } = yield* Sessions
    yield* Stream.runForEach(events, (event) =>
      Effect.sync(() => {
        if (event._tag === "SessionEnded") write(`${event.target}: ${event.outcome}`)
      })
    )
  })
