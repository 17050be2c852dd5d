/**
 * Checks that the users and groups in rules exist: a rule with an unknown name would never match.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { AuthSettings } from "../auth/Settings.ts"
import type { User } from "../auth/User.ts"
import { UsersCheck } from "../auth/UsersCheck.ts"
import * as Slices from "../base/Slices.ts"
import * as RuleLint from "../config/RuleLint.ts"
import { BadSetting, BadSettings } from "../Errors.ts"
import { ListenSettings } from "../network/ListenSettings.ts"
import { PolicySettings } from "./Settings.ts"

/** Refuses rules that name other users or groups than these users and their groups. */
export const layer: Layer.Layer<UsersCheck, never, AuthSettings | ListenSettings | PolicySettings> =
  Layer.effect(
    UsersCheck,
    Effect.gen(function* () {
      const { authUrl } = yield* AuthSettings
      const { tlsClientCa } = yield* ListenSettings
      const { rules } = yield* PolicySettings
      return (users) => {
        // A service may know more users and groups, and a certificate may be anyone's.
        if (authUrl !== undefined) return Effect.void
        const problems = RuleLint.problems(rules, {
          users: tlsClientCa === undefined ? namesOf(users) : undefined,
          groups: groupsOf(users)
        })
        return Effect.flatMap(Slices.run(problems), (problems) => {
          const [first, ...others] = problems.map(
            (problem) => new BadSetting({ setting: "--rules", ...problem })
          )
          return first === undefined
            ? Effect.void
            : Effect.fail(new BadSettings({ errors: [first, ...others] }))
        })
      }
    })
  )

// There may be very many users, and no rule that names one.

function* namesOf(users: ReadonlyArray<User>): Generator<string> {
  for (const { name } of users) yield name
}

function* groupsOf(users: ReadonlyArray<User>): Generator<string> {
  for (const { groups = [] } of users) yield* groups
}
