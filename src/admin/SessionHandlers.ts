/**
 * The endpoints of sessions.
 */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import { AdminApi, NotFound } from "./Api.ts"
import { audited } from "./AuditLog.ts"
import { Control } from "./Control.ts"
import * as SessionPage from "./SessionPage.ts"

export const layer = HttpApiBuilder.group(
  AdminApi,
  "sessions",
  Effect.fnUntraced(function* (handlers) {
    const { sessions, server } = yield* Control
    return handlers
      .handle("list", ({ query }) =>
        Effect.map(sessions.read, (all) => {
          const { total, rows } = SessionPage.page(all, query)
          return HttpApiSchema.withHeaders({ body: rows, headers: { "x-total-count": total } })
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
  })
)

const missing = (id: number) => new NotFound({ message: `no session ${id} is open` })
