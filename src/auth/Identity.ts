/**
 * Who someone is, once let in.
 */
import type { Limits } from "../config/Limits.ts"

export interface Identity {
  /** Printable; nothing for a client that was not asked who it is. */
  readonly user: string | undefined
  readonly groups?: ReadonlyArray<string>
  /** What beats the limits of the settings. */
  readonly limits?: Limits
}

/** A client that was let in unasked. */
export const anonymous: Identity = { user: undefined }
