/**
 * Whether a file has changed, by a look at it from time to time.
 */
import type { BigIntStats } from "node:fs"
import { stat } from "node:fs/promises"
import * as Effect from "effect/Effect"

/** Equal for the same file with the same content, and hardly ever equal otherwise. */
export const stampOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  [dev, ino, size, mtimeNs, ctimeNs].join(":")

/** The stamp of a file that is not there. */
export const gone = "gone"

/** The stamp of the file that this path leads to now. */
export const read = (path: string): Effect.Effect<string> =>
  Effect.promise(() => stat(path, { bigint: true }).then(stampOf, () => gone))

/** The result of a look. */
interface Look {
  readonly state: "same" | "changing" | "changed" | "gone"
  readonly stamp: string
}

/** A file that is followed. */
interface Followed {
  /**
   * Whether the file has changed since `accept`. It is "changing" until two looks
   * in a row have found the same: a writer is left to finish.
   */
  readonly look: Effect.Effect<Look>
  /** Makes this stamp the known one. */
  readonly accept: (stamp: string) => void
}

/** Follows a file whose known stamp is this one. */
export const follow = (path: string, initially: string): Followed => {
  let known = initially
  let last = initially
  return {
    look: Effect.map(read(path), (stamp) => {
      const isSettled = stamp === last
      last = stamp
      const state = stamp === known ? "same" : !isSettled ? "changing" : stamp === gone ? "gone" : "changed"
      return { state, stamp }
    }),
    accept: (stamp) => {
      known = stamp
      last = stamp
    }
  }
}
