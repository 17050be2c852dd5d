/**
 * Long answers in pieces of a millisecond, so that sessions go on while they are made.
 */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Slices from "../base/Slices.ts"

/** Milliseconds. */
const piece = 1

export const run = <A>(work: Slices.Work<A>): Effect.Effect<A> => Slices.run(work, piece)

/** A list as JSON, between these texts. */
export const list = <A>(
  rows: ReadonlyArray<A>,
  headers: Readonly<Record<string, string>> = {},
  [before, after]: readonly [string, string] = ["", ""]
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.map(run(Slices.map(rows, (row) => JSON.stringify(row))), (texts) =>
    HttpServerResponse.text(`${before}[${texts.join(",")}]${after}`, {
      contentType: "application/json",
      headers
    })
  )
