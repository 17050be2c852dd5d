/**
 * What the admin listener of an app takes from its server, beside what the server offers to the app.
 */
import * as Context from "effect/Context"
import type * as Layer from "effect/Layer"
import type { StoredUsers } from "../auth/StoredUsers.ts"
import type { Users } from "../auth/Users.ts"
import type { Resolver } from "../network/Resolver.ts"
import type { RunningServer } from "../server/RunningServer.ts"

/** The services of the app in the place of the server's own. */
export interface Replaced {
  readonly users: Layer.Layer<Users> | undefined
  readonly userStore: StoredUsers | undefined
  readonly resolver: Layer.Layer<Resolver> | undefined
  readonly hasAuthenticator: boolean
  readonly hasPolicy: boolean
}

export class Steering extends Context.Service<
  Steering,
  { readonly server: RunningServer["Service"]; readonly replaced: Replaced }
>()("effect-socks/library/Steering") {}
