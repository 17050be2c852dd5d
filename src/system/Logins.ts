/**
 * All that it takes to let users in as the configuration has it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Config } from "../config/Config.ts"
import { BadSetting } from "../Errors.ts"
import { Authenticator } from "../policy/Authenticator.ts"
import * as Review from "../policy/Review.ts"
import { Users } from "../policy/Users.ts"
import * as Hashing from "./Hashing.ts"
import * as UsersFile from "./UsersFile.ts"

/** A rule about someone whom nobody knows would never match, whoever comes: that is refused. */
const rulesNameUsers = Effect.gen(function* () {
  const { rules, authUrl, tlsClientCa } = yield* Config
  // A service may know more users and groups, and a certificate may be anyone's.
  if (authUrl !== undefined) return
  const { users } = yield* (yield* Users).current
  const [problem] = Review.problems(rules, {
    users: tlsClientCa === undefined ? users.map(({ name }) => name) : undefined,
    groups: users.flatMap(({ groups = [] }) => groups)
  })
  if (problem !== undefined) {
    return yield* new BadSetting({ setting: "--rules", ...problem })
  }
})

export const layer: Layer.Layer<Authenticator, BadSetting, Config> = Layer.provide(
  Layer.merge(Authenticator.layer, Layer.effectDiscard(rulesNameUsers)),
  [Hashing.layer, UsersFile.layer]
)
