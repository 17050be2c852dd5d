/**
 * The number of descriptors that connections may use.
 */
import * as Effect from "effect/Effect"
import * as OpenFiles from "./OpenFiles.ts"

/** Descriptors reserved for listeners, name servers, files and the runtime. */
const reserve = 64

/** Descriptors that connections may use: the process's soft limit less the reserve. */
export const budget: Effect.Effect<number> = Effect.map(OpenFiles.limit, (limit) =>
  Math.max(limit - reserve, 4)
)
