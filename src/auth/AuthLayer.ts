/**
 * All that it takes to let users in as the configuration has it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Config } from "../config/Config.ts"
import type { BadSetting, BadSettings } from "../Errors.ts"
import { Authenticator } from "./Authenticator.ts"
import * as Hashing from "./Hashing.ts"
import { Users } from "./Users.ts"
import * as UsersSource from "./UsersSource.ts"

const rulesNameUsers = Effect.gen(function* () {
  const { users } = yield* (yield* Users).current
  yield* UsersSource.fitRules(yield* Config, users)
})

export const layer: Layer.Layer<Authenticator, BadSetting | BadSettings, Config> = Layer.provide(
  Layer.merge(Authenticator.layer, Layer.effectDiscard(rulesNameUsers)),
  [Hashing.layer, UsersSource.layer]
)
