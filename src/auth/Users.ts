/**
 * The service that has the present users.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as Slices from "../base/Slices.ts"
import { BadSetting, type BadSettings } from "../Errors.ts"
import { printable } from "../wire/Text.ts"
import * as PasswordHash from "./PasswordHash.ts"
import type { User } from "./User.ts"
import { UserStore } from "./UserStore.ts"

/** A user, and the field of the user's password in plain text; `noPassword` if the user has none. */
export interface Entry {
  readonly user: User
  readonly field: Uint8Array
}

export interface Directory {
  readonly users: ReadonlyArray<User>
  /** The user whose name is these bytes of UTF-8. */
  readonly find: (name: Uint8Array) => Entry | undefined
  /**
   * Decoys of the most expensive hashes. They are computed for unknown users, and the logins of other users are padded
   * to the same work. Empty if no user has a hash.
   */
  readonly decoys: ReadonlyArray<PasswordHash.PasswordHash>
}

/**
 * The present users.
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
    /** The present users, and then the users after each change; left out where the users never change. */
    readonly changes?: Stream.Stream<Directory>
  }
>()("effect-socks/auth/Users") {
  /** Users that never change. */
  static readonly layerFixed = (users: ReadonlyArray<User>): Layer.Layer<Users> =>
    Layer.sync(Users, () => ({ current: Effect.succeed(directory(users)) }))

  /** The users in a reference. A change of the reference holds from the next login on. */
  static readonly layerRef = (
    ref: SubscriptionRef.SubscriptionRef<ReadonlyArray<User>>
  ): Layer.Layer<Users> =>
    Layer.sync(Users, () => {
      let known = { users: [] as ReadonlyArray<User>, all: directory([]) }
      // The directory is made once for each change, and not for each login.
      const directoryOf = (users: ReadonlyArray<User>) => {
        if (known.users !== users) known = { users, all: directory(users) }
        return known.all
      }
      return {
        current: Effect.map(SubscriptionRef.get(ref), directoryOf),
        changes: Stream.map(SubscriptionRef.changes(ref), directoryOf)
      }
    })

  /** The users of a store. A change holds from the next login on, as soon as the store tells of it. */
  static readonly layerStore: Layer.Layer<Users, BadSetting | BadSettings, UserStore> = Layer.effect(
    Users,
    Effect.gen(function* () {
      const { list, changes } = yield* UserStore
      const first = yield* Effect.catchTag(
        list,
        "StateFailed",
        ({ path, reason }) =>
          new BadSetting({ setting: "UserStore", value: printable(path), expected: `readable: ${reason}` })
      )
      const current = yield* SubscriptionRef.make(yield* Slices.run(makeDirectory(first)))
      yield* Effect.forkScoped(
        Stream.runForEach(changes, (users) =>
          Effect.flatMap(Slices.run(makeDirectory(users)), (next) => SubscriptionRef.set(current, next))
        )
      )
      return { current: SubscriptionRef.get(current), changes: SubscriptionRef.changes(current) }
    })
  )
}

export const directory = (users: ReadonlyArray<User>): Directory => Slices.runSync(makeDirectory(users))

/** The directory of very many users, in slices. */
export function* makeDirectory(users: ReadonlyArray<User>): Slices.Work<Directory> {
  const entries = new Map<string, Entry>()
  const dearest: PasswordHash.Dearest = new Map()
  yield* Slices.each(users, (user) => {
    if (user.passwordHash) PasswordHash.compare(dearest, Redacted.value(user.passwordHash))
    const password = user.password ? field(utf8.encode(Redacted.value(user.password))) : noPassword
    entries.set(keyOf(user.name), { user, field: password })
  })
  return { users, find: (name) => entries.get(key(name)), decoys: PasswordHash.decoysOf(dearest) }
}

const utf8 = new TextEncoder()

/** The key of a name: that of its bytes, which for ASCII is the name. */
const keyOf = (name: string): string => (/^[\x20-\x7e]*$/.test(name) ? name : key(utf8.encode(name)))

/** Bytes as a map key, with one character for each byte, so that different names have different keys. */
const key = (bytes: Uint8Array): string => String.fromCharCode(...bytes)

/**
 * Up to 255 bytes of a password as a field of 256 bytes, the length first. All fields have the same length, so
 * comparing them takes the same time.
 */
export const field = (bytes: Uint8Array): Uint8Array => {
  const padded = new Uint8Array(256)
  padded[0] = bytes.length
  padded.set(bytes.subarray(0, 255), 1)
  return padded
}

/** The field of length 0, which no user's password has. */
export const noPassword = field(new Uint8Array(0))
