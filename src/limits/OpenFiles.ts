/**
 * The limit on open files of this process.
 */
import { readFile } from "node:fs/promises"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** The limit where the system does not tell. */
const usual = 10_240

/** The soft limit of this process, as a number of descriptors. */
export const limit: Effect.Effect<number> = Effect.map(
  Effect.promise(() => readFile("/proc/self/limits", "utf8").catch(() => "")),
  (limits) => Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? usual)
)

/** How to raise the limit, for messages. */
export const advice = "raise the limit on open files (ulimit -n, LimitNOFILE= of systemd)"

/** Fewer descriptors are not enough to start and to serve a client. */
const least = 40

export class TooFewOpenFiles extends Data.TaggedError("TooFewOpenFiles")<{ readonly limit: number }> {
  override get message() {
    return `${this.limit} open files are too few to serve: ${advice}`
  }
}

/** Fails where the limit is too low to serve a client. */
export const check: Effect.Effect<void, TooFewOpenFiles> = Effect.flatMap(limit, (limit) =>
  limit < least ? Effect.fail(new TooFewOpenFiles({ limit })) : Effect.void
)
