/**
 * The endpoints of sessions.
 */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { AdminApi, NotFound } from "./Api.ts"
import { audited } from "./AuditLog.ts"
import { Control } from "./Control.ts"
import * as Paced from "./Paced.ts"
import * as SessionPage from "./SessionPage.ts"

export const layer = HttpApiBuilder.group(
  AdminApi,
  "sessions",
  Effect.fnUntraced(function* (handlers) {
    const { sessions, server } = yield* Control
    return (
      handlers
        // Not through the schema of the endpoint, which would take a long page as a whole.
        .handleRaw("list", ({ query }) =>
          Effect.gen(function* () {
            const { total, rows } = yield* Paced.run(SessionPage.page(yield* sessions.read, query))
            return yield* Paced.list(rows, { "x-total-count": String(total) })
          })
        )
        .handle("get", ({ params: { id } }) =>
          Effect.flatMap(sessions.read, (all) => {
            const found = all.find((session) => session.id === id)
            return found ? Effect.succeed(SessionPage.row(found)) : Effect.fail(missing(id))
          })
        )
        .handle("end", ({ params: { id } }) =>
          server.endSession(id).pipe(
            Effect.flatMap((isFound) => (isFound ? Effect.void : Effect.fail(missing(id)))),
            Effect.ensuring(sessions.forget),
            audited("end session", { session: id })
          )
        )
    )
  })
)

const missing = (id: number) => new NotFound({ message: `no session ${id} is open` })
