/**
 * The users there are at the moment.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as PasswordHash from "./PasswordHash.ts"
import type { User } from "./User.ts"

/** A user, and their password in plain text as a field; `noPassword` if there is none. */
export interface Entry {
  readonly user: User
  readonly field: Uint8Array
}

export interface Directory {
  readonly users: ReadonlyArray<User>
  /** A name as bytes, which no two names share. */
  readonly find: (name: Uint8Array) => Entry | undefined
  /** What to compute for a user who is not in it, and what others are padded to; nothing if no user has a hash. */
  readonly dearest: ReadonlyArray<PasswordHash.PasswordHash>
}

/**
 * The users there are at the moment.
 *
 * **When to use**
 *
 * Provide `Users.layerRef` to a server for users that the app adds and removes while it runs, and
 * `Users.layerFixed` for users that stay.
 *
 * **Example** (Users in a reference)
 *
 * ```ts
 * import { Effect, Layer, Redacted, SubscriptionRef } from "effect"
 * import { Server, type User, Users } from "effect-socks"
 *
 * const program = Effect.gen(function* () {
 *   const ref = yield* SubscriptionRef.make<ReadonlyArray<User>>([])
 *   yield* Layer.build(Server.layer({ endDenied: true }).pipe(Layer.provide(Users.layerRef(ref))))
 *   yield* SubscriptionRef.set(ref, [{ name: "alice", password: Redacted.make("secret") }])
 * })
 * ```
 */
export class Users extends Context.Service<
  Users,
  {
    readonly current: Effect.Effect<Directory>
    /** Those of now, and from then on those of each change; left out where there never is one. */
    readonly changes?: Stream.Stream<Directory>
  }
>()("effect-socks/auth/Users") {
  /** These, for good. */
  static readonly layerFixed = (users: ReadonlyArray<User>): Layer.Layer<Users> =>
    Layer.sync(Users, () => ({ current: Effect.succeed(directory(users)) }))

  /** Those that are in a reference at the moment. A change holds for the next login. */
  static readonly layerRef = (
    ref: SubscriptionRef.SubscriptionRef<ReadonlyArray<User>>
  ): Layer.Layer<Users> =>
    Layer.sync(Users, () => {
      let known = { users: [] as ReadonlyArray<User>, all: directory([]) }
      // Once for each change, and not for each login.
      const directoryOf = (users: ReadonlyArray<User>) => {
        if (known.users !== users) known = { users, all: directory(users) }
        return known.all
      }
      return {
        current: Effect.map(SubscriptionRef.get(ref), directoryOf),
        changes: Stream.map(SubscriptionRef.changes(ref), directoryOf)
      }
    })
}

export const directory = (users: ReadonlyArray<User>): Directory => {
  const entries = new Map(
    users.map((user) => [
      key(utf8.encode(user.name)),
      { user, field: user.password ? field(utf8.encode(Redacted.value(user.password))) : noPassword }
    ])
  )
  return { users, find: (name) => entries.get(key(name)), dearest: PasswordHash.dearest(hashesOf(users)) }
}

const hashesOf = (users: ReadonlyArray<User>): ReadonlyArray<PasswordHash.PasswordHash> =>
  users.flatMap(({ passwordHash }) => (passwordHash ? [Redacted.value(passwordHash)] : []))

const utf8 = new TextEncoder()

/** Bytes as a map key, one character each, so that no two names meet in one. */
const key = (bytes: Uint8Array): string => String.fromCharCode(...bytes)

/** Up to 255 bytes as 256 of them, the length first: all passwords compare alike, with NULs in them or not. */
export const field = (bytes: Uint8Array): Uint8Array => {
  const padded = new Uint8Array(256)
  padded[0] = bytes.length
  padded.set(bytes.subarray(0, 255), 1)
  return padded
}

/** Length 0, which no user's password has. */
export const noPassword = field(new Uint8Array(0))
