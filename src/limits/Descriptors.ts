/**
 * How many connections the limit on open files leaves room for.
 */
import * as Effect from "effect/Effect"
import * as OpenFiles from "./OpenFiles.ts"

/** Kept for everything that is no connection: listeners, name servers, files, the runtime's own. */
const reserve = 64

/** Descriptors that connections may use: the process's soft limit less the reserve. */
export const budget: Effect.Effect<number> = Effect.map(OpenFiles.limit, (limit) =>
  Math.max(limit - reserve, 4)
)
