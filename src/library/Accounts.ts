/**
 * Users that an app adds, disables and removes while its server runs.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { User } from "../auth/User.ts"
import { UserStore } from "../auth/UserStore.ts"
import { Users } from "../auth/Users.ts"
import type { BadSettings } from "../Errors.ts"
import type { UserOptions } from "./ServerOptions.ts"
import { Settings } from "./Settings.ts"

/** A user of the app, and whether the user may log in at present. */
export interface Account {
  readonly user: User
  readonly isEnabled: boolean
}

/**
 * The users of a server, which the app adds, disables and removes while the server runs.
 *
 * **When to use**
 *
 * Provide `Accounts.layer(users)` to a server, with `Layer.provideMerge`, in the place of its options `users` and
 * `usersFile`. The server asks for a password even while there is no user. A change holds for the next login; with
 * the option `endDenied`, the sessions of a user who is disabled or removed end at once. Nothing is kept over a
 * restart, and a reload changes nothing: `Users.layerRef` is for users that the app keeps elsewhere.
 *
 * **Example** (A user who comes and goes)
 *
 * ```ts
 * import { Effect, Layer, Redacted } from "effect"
 * import { Accounts, Server } from "effect-socks"
 *
 * const ProxyLive = Server.layer({ listen: "127.0.0.1:0", endDenied: true }).pipe(
 *   Layer.provideMerge(Accounts.layer())
 * )
 *
 * const program = Effect.gen(function* () {
 *   const { add, remove } = yield* Accounts
 *   yield* add({ name: "alice", password: Redacted.make("secret"), limits: { download: "10 MiB" } })
 *   yield* remove("alice")
 * }).pipe(Effect.provide(ProxyLive))
 * ```
 */
export class Accounts extends Context.Service<
  Accounts,
  {
    /** The users there are, in the order in which they came. */
    readonly list: Effect.Effect<ReadonlyArray<Account>>
    /** Adds a user, or replaces the one of this name. Fails for what `Server.layer` would refuse among its `users`. */
    readonly add: (user: UserOptions) => Effect.Effect<void, BadSettings>
    /** Removes the user of this name. Says whether there was one. */
    readonly remove: (name: string) => Effect.Effect<boolean>
    /** Keeps the user of this name, who may not log in until `enable`. Says whether there is one. */
    readonly disable: (name: string) => Effect.Effect<boolean>
    readonly enable: (name: string) => Effect.Effect<boolean>
  }
>()("effect-socks/library/Accounts") {
  /** Begins with these users. */
  static readonly layer = (
    users: ReadonlyArray<UserOptions> = []
  ): Layer.Layer<Accounts | Users | UserStore, BadSettings> =>
    Layer.unwrap(
      Effect.gen(function* () {
        const accounts = new Map<string, Account>()
        const put = (user: User, isEnabled: boolean) => accounts.set(user.name, { user, isEnabled })
        for (const user of yield* decoded(users)) put(user, true)
        const present = () =>
          [...accounts.values()].flatMap(({ user, isEnabled }) => (isEnabled ? [user] : []))
        const ref = yield* SubscriptionRef.make<ReadonlyArray<User>>(present())
        const publish = Effect.suspend(() => SubscriptionRef.set(ref, present()))
        /** Changes the account of this name, if there is one. */
        const change = (name: string, to: (account: Account) => void) =>
          Effect.suspend(() => {
            const account = accounts.get(name)
            if (account === undefined) return Effect.succeed(false)
            to(account)
            return Effect.as(publish, true)
          })
        const stored = () =>
          [...accounts.values()].map(
            ({ user, isEnabled }): User => (isEnabled ? user : { ...user, enabled: false })
          )
        const store = Layer.succeed(UserStore, {
          list: Effect.sync(stored),
          add: (user) =>
            Effect.suspend(() => {
              if (accounts.has(user.name)) return Effect.succeed(false)
              put(user, true)
              return Effect.as(publish, true)
            }),
          change: (name, { enabled, passwordHash }) =>
            change(name, ({ user: { password, ...user }, isEnabled }) => {
              const secret = passwordHash ? { passwordHash } : password && { password }
              put({ ...user, ...secret }, enabled ?? isEnabled)
            }),
          remove: (name) => change(name, () => accounts.delete(name)),
          changes: Stream.map(SubscriptionRef.changes(ref), stored)
        })
        return Layer.mergeAll(
          Users.layerRef(ref),
          store,
          Layer.succeed(Accounts, {
            list: Effect.sync(() => [...accounts.values()]),
            add: (user) =>
              Effect.flatMap(decoded([user]), ([added]) => {
                put(added!, true)
                return publish
              }),
            remove: (name) => change(name, () => accounts.delete(name)),
            disable: (name) => change(name, ({ user }) => put(user, false)),
            enable: (name) => change(name, ({ user }) => put(user, true))
          })
        )
      })
    )
}

/** The users of options, as the server has them. */
const decoded = (users: ReadonlyArray<UserOptions>): Effect.Effect<ReadonlyArray<User>, BadSettings> =>
  Effect.map(Settings.make({ users }), ({ values }) => values.users)
