/**
 * The service that keeps users which can be changed while the server runs.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { BadSetting } from "../Errors.ts"
import type { StoredUsers } from "./StoredUsers.ts"

/**
 * A store of users, who are added, disabled and removed while the server runs, such as by its admin API.
 *
 * **When to use**
 *
 * Provide one to a server for users that are kept elsewhere, such as in a database that several servers share. The server takes its users
 * from the store, and `Admin` changes them there. `UserStore.layerFile` is a store in a file, and `Accounts.layer` one in memory.
 *
 * **Example** (A user who may no longer log in)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { UserStore } from "effect-socks"
 *
 * const disable = Effect.fnUntraced(function* (name: string) {
 *   const { change } = yield* UserStore
 *   return yield* change(name, { enabled: false })
 * })
 * ```
 */
export class UserStore extends Context.Service<UserStore, StoredUsers>()("effect-socks/auth/UserStore") {
  /**
   * The users of a file, as those of the program with `--users-file`: a list in YAML or JSON, or lines of `NAME:HASH`.
   *
   * **When to use**
   *
   * Provide it to a server, with `Layer.provideMerge`, for users that the app adds, disables and removes and that are there
   * again after a restart. A password is kept as a hash. Several processes may have the same file, and it may be changed by
   * hand. There has to be a file, which may have no users (`[]` in YAML and JSON). With the option `endDenied`, the sessions of
   * a user who is disabled or removed end.
   *
   * **Example** (A user who is there after a restart)
   *
   * ```ts
   * import { Effect, Layer, Redacted } from "effect"
   * import { Server, UserStore } from "effect-socks"
   *
   * const ProxyLive = Server.layer({ listen: "127.0.0.1:0", endDenied: true }).pipe(
   *   Layer.provideMerge(UserStore.layerFile("/var/lib/proxy/users.yaml"))
   * )
   *
   * const program = Effect.gen(function* () {
   *   const { add } = yield* UserStore
   *   yield* add({ name: "alice", password: Redacted.make("secret"), groups: ["staff"] })
   * }).pipe(Effect.provide(ProxyLive))
   * ```
   */
  static readonly layerFile = (path: string): Layer.Layer<UserStore, BadSetting> =>
    Layer.effect(
      UserStore,
      Effect.flatMap(
        // Loaded only where there is such a file.
        Effect.promise(() => import("./UsersFileStore.ts")),
        ({ ofApp }) => ofApp(path)
      )
    )
}
