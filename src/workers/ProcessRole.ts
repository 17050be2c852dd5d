/**
 * Whether there is one process or several. Every start asks, so this loads nothing for
 * one process.
 */
import { availableParallelism } from "node:os"
import * as Effect from "effect/Effect"
import { mark } from "./Mark.ts"

/** Whether this process is one of several workers. */
export const isWorker = async (): Promise<boolean> =>
  process.connected === true &&
  process.env[mark] !== undefined &&
  (await import("node:cluster")).default.isWorker

/** How many workers there are to be. */
export const count = (workers: number | "auto"): Effect.Effect<number> =>
  Effect.sync(() => (workers === "auto" ? availableParallelism() : workers))
