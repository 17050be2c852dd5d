/**
 * The layer of the authenticator, with the users and the hashing threads.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Authenticator } from "../auth/Authenticator.ts"
import * as Hashing from "../auth/Hashing.ts"
import type { PasswordHashes } from "../auth/PasswordHashes.ts"
import { AuthSettings } from "../auth/Settings.ts"
import { Users } from "../auth/Users.ts"
import { UsersCheck } from "../auth/UsersCheck.ts"
import * as UsersSource from "../auth/UsersSource.ts"
import { flagName } from "../config/Setting.ts"
import { BadSetting, type BadSettings } from "../Errors.ts"
import type { ListenSettings } from "../network/ListenSettings.ts"
import * as RuleNames from "../policy/RuleNames.ts"
import type { PolicySettings } from "../policy/Settings.ts"

/** Fails if the rules name users or groups that do not exist. */
const checked = Effect.gen(function* () {
  const check = yield* UsersCheck
  const { users } = yield* (yield* Users).current
  yield* check(users)
})

/** The authenticator of the settings, with the users that they list. */
export const layerOf = (
  hashes: Layer.Layer<PasswordHashes>
): Layer.Layer<Authenticator, BadSetting | BadSettings, Settings> =>
  Layer.merge(Authenticator.layer, Layer.effectDiscard(checked)).pipe(
    Layer.provide([hashes, UsersSource.layer]),
    Layer.provide(RuleNames.layer)
  )

/** The same, which computes hashes in threads of its own. */
export const layer = layerOf(Hashing.layer)

/**
 * An authenticator of the settings, with users from elsewhere. They may change at any time, so rules may name
 * users and groups that are not there yet.
 */
export const layerOfUsers = (
  users: Layer.Layer<Users, BadSetting | BadSettings>,
  hashes: Layer.Layer<PasswordHashes>
): Layer.Layer<Authenticator, BadSetting | BadSettings, Settings> =>
  Layer.unwrap(Effect.map(AuthSettings, Authenticator.layerListed)).pipe(
    Layer.provide([users, hashes]),
    Layer.merge(Layer.effectDiscard(refuse("a layer of Users", ["users", "usersFile"])))
  )

/** The same authenticator, where the settings say nothing that it does not go by. */
export const layerOfOwn = (
  authenticator: Layer.Layer<Authenticator>
): Layer.Layer<Authenticator, BadSetting, AuthSettings> =>
  Layer.merge(
    authenticator,
    Layer.effectDiscard(refuse("an Authenticator of your own", ["users", "usersFile", "authUrl"]))
  )

type Settings = AuthSettings | ListenSettings | PolicySettings

/** Fails where these settings are set, as nothing would be asked of what they say. */
const refuse = Effect.fnUntraced(function* (
  beside: string,
  names: ReadonlyArray<"users" | "usersFile" | "authUrl">
): Effect.fn.Return<void, BadSetting, AuthSettings> {
  const { user, users, ...settings } = yield* AuthSettings
  const values = { ...settings, users: user.length + users.length > 0 ? true : undefined }
  for (const name of names) {
    if (values[name] === undefined) continue
    const expected = `possible beside ${beside}, which says alone who may log in`
    return yield* new BadSetting({ setting: `--${flagName(name)}`, value: "what was given", expected })
  }
})
