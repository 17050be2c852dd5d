/**
 * The users there are at the moment.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Stream from "effect/Stream"
import * as PasswordHash from "../config/PasswordHash.ts"
import type { User } from "../config/User.ts"

/** A user, and their password in plain text as a field; `noPassword` if there is none. */
export interface Entry {
  readonly user: User
  readonly field: Uint8Array
}

export interface Directory {
  readonly users: ReadonlyArray<User>
  /** A name as bytes, which no two names share. */
  readonly find: (name: Uint8Array) => Entry | undefined
  /** What to compute for who is not in it; nothing if no user has a hash. */
  readonly decoy: PasswordHash.PasswordHash | undefined
}

export class Users extends Context.Service<
  Users,
  {
    readonly current: Effect.Effect<Directory>
    /** Those of now, and from then on those of each change; left out where there never is one. */
    readonly changes?: Stream.Stream<Directory>
  }
>()("effect-socks/policy/Users") {
  /** These, for good. */
  static readonly fixed = (users: ReadonlyArray<User>): Layer.Layer<Users> =>
    Layer.sync(Users, () => ({ current: Effect.succeed(directory(users)) }))
}

export const directory = (users: ReadonlyArray<User>): Directory => {
  const entries = new Map(
    users.map((user) => [
      key(utf8.encode(user.name)),
      { user, field: user.password ? field(utf8.encode(Redacted.value(user.password))) : noPassword }
    ])
  )
  return { users, find: (name) => entries.get(key(name)), decoy: decoyAmong(users) }
}

/** Like the hashes that most users have. */
const decoyAmong = (users: ReadonlyArray<User>): PasswordHash.PasswordHash | undefined => {
  const counts = new Map<string, number>()
  let most: PasswordHash.PasswordHash | undefined
  let mostCount = 0
  for (const { passwordHash } of users) {
    if (passwordHash === undefined) continue
    const hash = Redacted.value(passwordHash)
    const count = (counts.get(PasswordHash.costOf(hash)) ?? 0) + 1
    counts.set(PasswordHash.costOf(hash), count)
    if (count > mostCount) {
      mostCount = count
      most = hash
    }
  }
  return most && PasswordHash.decoyOf(most)
}

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
