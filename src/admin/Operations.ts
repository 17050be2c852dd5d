/**
 * What the admin API does beside sessions and bans, as the program and the library each offer it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { StoredUsers, UserStoreError } from "../auth/StoredUsers.ts"
import type { User } from "../auth/User.ts"
import type { UserParameter } from "../auth/UserParameters.ts"
import type { Explanation, Invalid, Level, Limit, NotOffered, Question, SettingRow } from "./Api.ts"

/** A user, and whether the user is in a store. */
export interface KnownUser {
  readonly user: User
  readonly isStored: boolean
}

/** Where users can be changed. */
export interface ChangeableUsers {
  readonly store: StoredUsers
  /** The fields of a user that the store can have, besides name and password. */
  readonly hasGroups: boolean
  /** Parameters that user names may have behind them. */
  readonly userParameters: ReadonlyArray<UserParameter>
}

/** What is left out is refused as not offered. */
export class Operations extends Context.Service<
  Operations,
  {
    readonly version: string
    /** The settings in force, with secrets masked. */
    readonly config: Effect.Effect<ReadonlyArray<SettingRow>>
    readonly limits: Effect.Effect<ReadonlyArray<Omit<Limit, "used">>>
    readonly users: Effect.Effect<ReadonlyArray<KnownUser>, UserStoreError>
    /** Where users can be changed by the present settings; or why they cannot. */
    readonly changeableUsers: Effect.Effect<ChangeableUsers, NotOffered>
    readonly explain?: ((question: Question) => Effect.Effect<Explanation, Invalid>) | undefined
    /** Fails with the reason if the earlier settings stay in force. */
    readonly reload?: Effect.Effect<void, Invalid> | undefined
    /** Begins a graceful stop. */
    readonly stop?: Effect.Effect<void> | undefined
    readonly logLevel?:
      | {
          readonly get: Effect.Effect<string>
          readonly set: (level: Level) => Effect.Effect<void, Invalid>
        }
      | undefined
  }
>()("effect-socks/admin/Operations") {}
