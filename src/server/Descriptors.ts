/**
 * How many connections the limit on open files leaves room for.
 */
import { readFile } from "node:fs/promises"
import * as Effect from "effect/Effect"

/** Kept for everything that is no connection: listeners, name servers, files, the runtime's own. */
const reserve = 64

/** Where the system does not say. */
const usual = 10_240

/** Descriptors that connections may use: the process's soft limit less the reserve. */
export const budget: Effect.Effect<number> = Effect.map(
  Effect.promise(() => readFile("/proc/self/limits", "utf8").catch(() => "")),
  (limits) => Math.max(Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? usual) - reserve, 4)
)
