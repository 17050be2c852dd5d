/**
 * The users of a server that has them from its settings. Those of its users file can be changed.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StoredUsers } from "../auth/StoredUsers.ts"
import type { User } from "../auth/User.ts"
import { UsersCheck } from "../auth/UsersCheck.ts"
import * as UsersFile from "../auth/UsersFile.ts"
import * as UsersFileStore from "../auth/UsersFileStore.ts"
import * as UsersSource from "../auth/UsersSource.ts"
import * as Slices from "../base/Slices.ts"
import type { BadSetting, BadSettings } from "../Errors.ts"
import * as RuleNames from "../policy/RuleNames.ts"
import * as Config from "../server/Config.ts"
import { NotOffered } from "./Api.ts"
import type { KnownUser, Operations } from "./Operations.ts"

export const make = (
  inForce: () => Config.Values,
  memo?: UsersFile.Memo
): Pick<Operations["Service"], "users" | "changeableUsers"> => {
  let made: { readonly path: string; readonly store: StoredUsers } | undefined
  /** The same store as long as the settings name the same file. */
  const storeOf = (path: string): StoredUsers => {
    if (made?.path !== path) {
      made = {
        path,
        store: UsersFileStore.make(path, (users) => Effect.suspend(() => check(inForce(), users)), memo)
      }
    }
    return made.store
  }
  return {
    users: Effect.suspend(() => {
      const { user, users, usersFile } = inForce()
      const own = [...user, ...users].map((user): KnownUser => ({ user, isStored: false }))
      if (usersFile === undefined) return Effect.succeed(own)
      return Effect.flatMap(storeOf(usersFile).list, (stored) =>
        Slices.run(Slices.append(own, stored, (user): KnownUser => ({ user, isStored: true })))
      )
    }),
    changeableUsers: Effect.suspend(() => {
      const { usersFile, userParameters } = inForce()
      return usersFile === undefined
        ? Effect.fail(new NotOffered({ message: withoutFile }))
        : Effect.succeed({
            ...{ store: storeOf(usersFile), hasGroups: UsersFile.formOf(usersFile) !== "lines" },
            userParameters
          })
    })
  }
}

const withoutFile =
  "the users of this server come from its settings: those in a file of users, --users-file, can be changed here"

/** Fails if the server could not use these users of its users file. */
const check = (
  settings: Config.Values,
  users: ReadonlyArray<User>
): Effect.Effect<void, BadSetting | BadSettings> =>
  Effect.flatMap(UsersSource.withoutDuplicates(settings.user, settings.users, users), (all) =>
    Effect.flatMap(UsersCheck, (check) => check(all))
  ).pipe(Effect.provide(Layer.provide(RuleNames.layer, Config.layer(settings))))
