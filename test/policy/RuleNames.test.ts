/**
 * Rules that name users and groups, beside the users that there are.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { UsersCheck } from "../../src/auth/UsersCheck.ts"
import * as RuleNames from "../../src/policy/RuleNames.ts"
import * as Config from "../../src/server/Config.ts"

const rules = [{ allow: true, users: ["bob"], groups: ["staff"] }] as const

const alice = { name: "alice", password: Redacted.make("secret"), groups: ["interns"] }

/** What is wrong with these settings where only alice is a user. */
const problems = (settings: Partial<Config.Values> = {}) =>
  Effect.gen(function* () {
    const check = yield* UsersCheck
    return yield* Effect.match(check([alice]), {
      onFailure: ({ errors }) => errors.map(({ message }) => message),
      onSuccess: () => []
    })
  }).pipe(Effect.provide(Layer.provide(RuleNames.layer, Config.layer({ rules, ...settings }))))

describe("a rule", () => {
  it.effect("is refused with users and groups that do not exist", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* problems(), [
        '--rules: user "bob" of rule 1 is not one of the users',
        '--rules: group "staff" of rule 1 is not a group of any user'
      ])
      assert.deepStrictEqual(yield* problems({ rules: [{ allow: true, users: ["alice"] }] }), [])
    })
  )

  it.effect("may name users of certificates", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* problems({ tlsClientCa: "ca.pem" }), [
        '--rules: group "staff" of rule 1 is not a group of any user'
      ])
    })
  )

  it.effect("may name users and groups that an authentication service knows", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* problems({ authUrl: "https://auth.example/" }), [])
    })
  )
})
