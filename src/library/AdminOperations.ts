/**
 * What the admin API does with the server of an app.
 */
import * as Effect from "effect/Effect"
import { Invalid, NotOffered } from "../admin/Api.ts"
import * as ExplainQuestion from "../admin/ExplainQuestion.ts"
import type { KnownUser, Operations } from "../admin/Operations.ts"
import * as SettingsUsers from "../admin/SettingsUsers.ts"
import * as ShownSettings from "../admin/ShownSettings.ts"
import { Users } from "../auth/Users.ts"
import { version } from "../base/Version.ts"
import * as Section from "../config/Section.ts"
import { LimitSettings } from "../limits/Settings.ts"
import * as Config from "../server/Config.ts"
import type { Steering } from "./Steering.ts"

type Own = Operations["Service"]

export const make = (
  steering: Steering["Service"],
  reload: Effect.Effect<void, { readonly message: string }> | undefined
): Own => {
  const { server, replaced } = steering
  const inForce = () => server.settings
  return {
    version: version(),
    config: Effect.sync(() => ShownSettings.rows(Section.table(Config.sections), inForce())),
    limits: Effect.sync(() => ShownSettings.rows(LimitSettings.table, inForce())),
    ...usersOf(steering),
    explain: replaced.hasPolicy
      ? undefined
      : (question) => Effect.suspend(() => ExplainQuestion.explain(inForce(), question, replaced)),
    reload: reload && Effect.mapError(reload, ({ message }) => new Invalid({ message }))
  }
}

/** The users of the app's store, of its other services, or of the settings. */
const usersOf = ({ server, replaced }: Steering["Service"]): Pick<Own, "users" | "changeableUsers"> => {
  const { userStore: store, users, hasAuthenticator } = replaced
  if (store && !hasAuthenticator) {
    return {
      users: Effect.map(store.list, (all) => all.map((user): KnownUser => ({ user, isStored: true }))),
      changeableUsers: Effect.sync(() => ({
        ...{ store, hasGroups: true, userParameters: server.settings.userParameters }
      }))
    }
  }
  if (users === undefined && !hasAuthenticator) return SettingsUsers.make(() => server.settings)
  const current = Effect.flatMap(Users, ({ current }) => current)
  return {
    users:
      users === undefined
        ? Effect.succeed([])
        : Effect.map(Effect.provide(current, users), (all) =>
            all.users.map((user): KnownUser => ({ user, isStored: false }))
          ),
    changeableUsers: Effect.fail(
      new NotOffered({ message: "the app has users of its own: with a UserStore they can be changed here" })
    )
  }
}
