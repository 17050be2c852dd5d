/**
 * The identity of a client.
 */
import type { Limits } from "../config/Limits.ts"

/** The identity of a client that was let in: what rules and limits go by. */
export interface Identity {
  /** The user name, printable; undefined for a client without a user. */
  readonly user: string | undefined
  readonly groups?: ReadonlyArray<string>
  /** The user's own limits, which override those of the settings. */
  readonly limits?: Limits
  /** The parameters in the name with which the client logged in: see `UserParameters.ts`. */
  readonly parameters?: Readonly<Record<string, string>>
}

/** The identity of a client that needs no authentication. */
export const anonymous: Identity = { user: undefined }
