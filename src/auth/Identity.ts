/**
 * The identity of a client that was let in.
 */
import type { Limits } from "../config/Limits.ts"

/** The identity of a client that was let in: what rules and limits go by. */
export interface Identity {
  /** The user name, printable; undefined for a client that was not asked for one. */
  readonly user: string | undefined
  readonly groups?: ReadonlyArray<string>
  /** What beats the limits of the settings. */
  readonly limits?: Limits
}

/** A client that was let in unasked. */
export const anonymous: Identity = { user: undefined }
