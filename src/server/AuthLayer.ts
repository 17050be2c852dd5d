/**
 * The authenticator of the settings, with all that it is made of.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Authenticator } from "../auth/Authenticator.ts"
import * as Hashing from "../auth/Hashing.ts"
import type { AuthSettings } from "../auth/Settings.ts"
import { Users } from "../auth/Users.ts"
import { UsersCheck } from "../auth/UsersCheck.ts"
import * as UsersSource from "../auth/UsersSource.ts"
import type { BadSetting, BadSettings } from "../Errors.ts"
import type { ListenSettings } from "../network/ListenSettings.ts"
import * as RuleNames from "../policy/RuleNames.ts"
import type { PolicySettings } from "../policy/Settings.ts"

/** Fails where the rules name users or groups that do not exist. */
const checked = Effect.gen(function* () {
  const check = yield* UsersCheck
  const { users } = yield* (yield* Users).current
  yield* check(users)
})

export const layer: Layer.Layer<
  Authenticator,
  BadSetting | BadSettings,
  AuthSettings | ListenSettings | PolicySettings
> = Layer.merge(Authenticator.layer, Layer.effectDiscard(checked)).pipe(
  Layer.provide([Hashing.layer, UsersSource.layer]),
  Layer.provide(RuleNames.layer)
)
