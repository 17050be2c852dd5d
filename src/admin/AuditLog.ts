/**
 * The audit log: a line for each change by the admin API, with the address that asked.
 */
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Option from "effect/Option"
import { printable } from "../wire/Text.ts"

type Fields = Readonly<Record<string, string | number | boolean | undefined>>

/** Writes a line when a change is done, or was refused, with its outcome. */
export const audited =
  (action: string, fields: Fields = {}) =>
  <A, E extends { readonly _tag: string }, R>(
    change: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E, R | HttpServerRequest.HttpServerRequest> =>
    Effect.gen(function* () {
      const { remoteAddress } = yield* HttpServerRequest.HttpServerRequest
      const line = (outcome: string) =>
        Effect.logInfo("admin", {
          action,
          ...Object.fromEntries(
            Object.entries(fields).map(([name, value]) => [
              name,
              typeof value === "string" ? printable(value) : value
            ])
          ),
          by: Option.getOrElse(remoteAddress, () => "unix"),
          outcome
        })
      return yield* change.pipe(
        Effect.tap(() => line("done")),
        Effect.tapError(({ _tag }) => line(_tag))
      )
    })
