/**
 * What a machine has to tell the others of something by keyed hashes.
 */
import type { Keys } from "./Keys.ts"

export interface HashSharing {
  readonly keys: Keys
  readonly machine: string
  /** The key of the hashes, which is the same on all machines. */
  readonly key: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
}
