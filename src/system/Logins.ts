/**
 * All that it takes to let users in as the configuration has it.
 */
import * as Layer from "effect/Layer"
import type { Config } from "../config/Config.ts"
import type { BadSetting } from "../Errors.ts"
import { Authenticator } from "../policy/Authenticator.ts"
import * as Hashing from "./Hashing.ts"
import * as UsersFile from "./UsersFile.ts"

export const layer: Layer.Layer<Authenticator, BadSetting, Config> = Layer.provide(Authenticator.layer, [
  Hashing.layer,
  UsersFile.layer
])
