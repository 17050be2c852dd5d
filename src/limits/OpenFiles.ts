/**
 * The limit on open files of this process.
 */
import { readFile } from "node:fs/promises"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** Where the system does not say. */
const usual = 10_240

/** The soft limit: how many descriptors there can be. */
export const limit: Effect.Effect<number> = Effect.map(
  Effect.promise(() => readFile("/proc/self/limits", "utf8").catch(() => "")),
  (limits) => Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? usual)
)

/** What to do about it. */
export const advice = "raise the limit on open files (ulimit -n, LimitNOFILE= of systemd)"

/** Fewer are not enough for a process to start and serve anyone. */
const least = 40

export class TooFewOpenFiles extends Data.TaggedError("TooFewOpenFiles")<{ readonly limit: number }> {
  override get message() {
    return `${this.limit} open files are too few to serve: ${advice}`
  }
}

/** Fails where the limit leaves no room for a session. */
export const check: Effect.Effect<void, TooFewOpenFiles> = Effect.flatMap(limit, (limit) =>
  limit < least ? Effect.fail(new TooFewOpenFiles({ limit })) : Effect.void
)
