/**
 * Whether there is one process or several. Every start of the program asks this, so for
 * one process nothing is loaded.
 */
import { availableParallelism } from "node:os"
import * as Effect from "effect/Effect"
import { workerVariable } from "./WorkerVariable.ts"

/** Whether this process is one of several workers. */
export const isWorker = async (): Promise<boolean> =>
  process.connected === true &&
  process.env[workerVariable] !== undefined &&
  (await import("node:cluster")).default.isWorker

/** Number of workers by the setting. */
export const count = (workers: number | "auto"): Effect.Effect<number> =>
  Effect.sync(() => (workers === "auto" ? availableParallelism() : workers))
