/**
 * The role of this process: alone, or a worker. Loads no code for several processes, because
 * every start of the program asks this.
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
