/**
 * The service that keeps users which can be changed while the server runs.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Stream from "effect/Stream"
import type { BadSetting, BadSettings, StateFailed } from "../Errors.ts"
import type { PasswordHash } from "./PasswordHash.ts"
import type { User } from "./User.ts"

/** The users are wrong, or would be; or they cannot be read or written. */
export type UserStoreError = BadSetting | BadSettings | StateFailed

/** What is to be changed of a user. What is left out stays. */
export interface UserChange {
  readonly enabled?: boolean | undefined
  readonly passwordHash?: Redacted.Redacted<PasswordHash> | undefined
}

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
export class UserStore extends Context.Service<
  UserStore,
  {
    /** All users, those too who may not log in. */
    readonly list: Effect.Effect<ReadonlyArray<User>, UserStoreError>
    /** Adds a user. Returns false, and changes nothing, if there is a user of this name. */
    readonly add: (user: User) => Effect.Effect<boolean, UserStoreError>
    /** Changes the user of this name. Returns false if there is none. */
    readonly change: (name: string, to: UserChange) => Effect.Effect<boolean, UserStoreError>
    /** Removes the user of this name. Returns false if there is none. */
    readonly remove: (name: string) => Effect.Effect<boolean, UserStoreError>
    /** The users as they are, and again after each change, whoever made it. */
    readonly changes: Stream.Stream<ReadonlyArray<User>>
  }
>()("effect-socks/auth/UserStore") {
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
