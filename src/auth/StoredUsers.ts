/**
 * Users that are kept, and can be changed while the server runs.
 */
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Stream from "effect/Stream"
import type { BadSetting, BadSettings, StateFailed } from "../Errors.ts"
import type { PasswordHash } from "./PasswordHash.ts"
import type { User } from "./User.ts"

/** The users are wrong, or would be; or they cannot be read or written. */
export type UserStoreError = BadSetting | BadSettings | StateFailed

/** What is to be changed of a user. What is left out stays. */
export interface UserChange {
  readonly enabled?: boolean | undefined
  readonly passwordHash?: Redacted.Redacted<PasswordHash> | undefined
}

/** What a store of users does: the service `UserStore`. */
export interface StoredUsers {
  /** All users, those too who may not log in. */
  readonly list: Effect.Effect<ReadonlyArray<User>, UserStoreError>
  /** Adds a user. Returns false, and changes nothing, if there is a user of this name. */
  readonly add: (user: User) => Effect.Effect<boolean, UserStoreError>
  /** Changes the user of this name. Returns false if there is none. */
  readonly change: (name: string, to: UserChange) => Effect.Effect<boolean, UserStoreError>
  /** Removes the user of this name. Returns false if there is none. */
  readonly remove: (name: string) => Effect.Effect<boolean, UserStoreError>
  /** The users as they are, and again after each change, whoever made it. */
  readonly changes: Stream.Stream<ReadonlyArray<User>>
}
