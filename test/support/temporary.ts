/**
 * A directory of a test's own, gone when the test is.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"

/** An absolute path, mode 0700. */
export const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "effect-socks-"))),
  // Tries again: a browser that was killed may still be writing its profile.
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
)
