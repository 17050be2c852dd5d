/**
 * The service that checks users against the other settings: at the start, at a reload, and when the users file has
 * changed. If the check fails, the server does not take the users.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { BadSettings } from "../Errors.ts"
import type { User } from "./User.ts"

export class UsersCheck extends Context.Service<
  UsersCheck,
  (users: ReadonlyArray<User>) => Effect.Effect<void, BadSettings>
>()("effect-socks/auth/UsersCheck") {}
