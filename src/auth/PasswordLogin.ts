/**
 * Logins by password.
 *
 * A failed login reveals nothing about users: for an unknown user, a wrong password and an expired user, the server
 * computes the same hashes and sends the same reply.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as AnswerCache from "../base/AnswerCache.ts"
import * as ClientNetwork from "../base/ClientNetwork.ts"
import { AuthenticationFailed, CertificateRefused, type TooManyLogins } from "../Errors.ts"
import type { Credentials } from "../wire/Socks5.ts"
import { fromPrintable, printable } from "../wire/Text.ts"
import type { Identity } from "./Identity.ts"
import * as LoginQueue from "./LoginQueue.ts"
import * as PasswordHash from "./PasswordHash.ts"
import { PasswordHashes } from "./PasswordHashes.ts"
import * as RememberedLogins from "./RememberedLogins.ts"
import type { User } from "./User.ts"
import { type Directory, type Entry, field, noPassword, Users } from "./Users.ts"

type Verified = Effect.Effect<boolean, TooManyLogins>

export const make = Effect.gen(function* (): Effect.fn.Return<
  {
    readonly verify: (
      credentials: Credentials,
      from: NetAddress.SocketAddress
    ) => Effect.Effect<Identity, AuthenticationFailed | TooManyLogins>
    readonly recognize: (
      name: string,
      from: NetAddress.SocketAddress
    ) => Effect.Effect<Identity | undefined, CertificateRefused>
  },
  never,
  Users | PasswordHashes | Scope.Scope
> {
  const { current } = yield* Users
  const hashes = yield* PasswordHashes
  const remembered = (yield* RememberedLogins.RememberedLogins) ?? RememberedLogins.make(hashes.digest)
  /** Shares concurrent checks of the same login, and caches none: `remembered` keeps right passwords. */
  const checks = yield* AnswerCache.make<boolean, TooManyLogins>(0)

  /** The result of `verified`, without the computation if this login is remembered. */
  const recall = ({ username, password }: Credentials, hash: PasswordHash.PasswordHash, verified: Verified) =>
    Effect.withFiber<boolean, TooManyLogins>((fiber) => {
      const login = remembered.digest(username, utf8.encode(PasswordHash.format(hash)), password)
      const clock = fiber.getRef(Clock.Clock)
      if (remembered.has(login, clock.currentTimeMillisUnsafe())) return Effect.succeed(true)
      const check = Effect.map(verified, (isRight) => {
        if (isRight) remembered.add(login, clock.currentTimeMillisUnsafe())
        return { value: isRight, holdsFor: 0 }
      })
      return checks.get(login, Effect.provideService(check, LoginQueue.Claim, fiber.getRef(LoginQueue.Claim)))
    })

  /** For a barred user the remembered logins are not used: a fast answer would reveal that the password is right. */
  const isRight = Effect.fnUntraced(function* (
    credentials: Credentials,
    entry: Entry | undefined,
    decoys: Directory["decoys"],
    isBarred: boolean
  ) {
    const { password } = credentials
    // An unknown user is compared, too, for equal time. HTTP allows an empty password, which no user has.
    const isPlain = equal(field(password), entry?.field ?? noPassword) && password.length > 0
    if (isPlain && !isBarred) return true
    const own = entry?.user.passwordHash
    const [decoy, ...others] = decoys
    const hash = own ? Redacted.value(own) : decoy
    if (hash === undefined) return isPlain
    const verified = hashes.verify(password, hash, own ? PasswordHash.padding(hash, decoys) : others)
    const isHashed = yield* isBarred ? verified : recall(credentials, hash, verified)
    return isPlain || (own !== undefined && isHashed)
  })

  return {
    verify: Effect.fnUntraced(function* (credentials, from) {
      const before = yield* current
      const entry = before.find(credentials.username)
      const bar = entry && (yield* barOf(entry.user, from))
      const isSame = yield* isRight(credentials, entry, before.decoys, bar !== undefined)
      const user = printable(credentials.username)
      if (entry === undefined) return yield* new AuthenticationFailed({ user, reason: "unknown user" })
      if (!isSame) return yield* new AuthenticationFailed({ user, reason: "wrong password" })
      if (bar !== undefined) return yield* new AuthenticationFailed({ user, reason: bar })
      // The users may have changed while the hash was computed.
      const now = yield* current
      if (now === before) return identityOf(user, entry.user)
      const later = now.find(credentials.username)
      if (later === undefined) return yield* new AuthenticationFailed({ user, reason: "unknown user" })
      if (!hasSamePassword(later, entry)) {
        return yield* new AuthenticationFailed({ user, reason: "wrong password" })
      }
      const laterBar = yield* barOf(later.user, from)
      if (laterBar !== undefined) return yield* new AuthenticationFailed({ user, reason: laterBar })
      return identityOf(user, later.user)
    }),
    recognize: Effect.fnUntraced(function* (name, from) {
      const { find } = yield* current
      const entry = find(utf8.encode(fromPrintable(name)))
      if (entry === undefined) return undefined
      const reason = yield* barOf(entry.user, from)
      if (reason !== undefined) return yield* new CertificateRefused({ user: name, reason })
      return identityOf(name, entry.user)
    })
  }
})

/** The reason why a user may not log in at all, whatever the password; undefined if the user may log in. */
const barOf = ({ enabled, expires, networks }: User, from: NetAddress.SocketAddress) =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    if (enabled === false) return "disabled" as const
    if (expires !== undefined && now >= expires) return "expired" as const
    if (networks !== undefined && !ClientNetwork.isIn(from, networks)) return "not from this network" as const
    return undefined
  })

const hasSamePassword = (one: Entry, other: Entry): boolean =>
  equal(one.field, other.field) && hashOf(one) === hashOf(other)

const hashOf = ({ user: { passwordHash } }: Entry): string | undefined =>
  passwordHash && PasswordHash.format(Redacted.value(passwordHash))

const identityOf = (user: string, { groups, limits }: User): Identity => ({
  user,
  ...(groups && { groups }),
  ...(limits && { limits })
})

const utf8 = new TextEncoder()

/** Compares two fields of 256 bytes in constant time. */
const equal = (one: Uint8Array, other: Uint8Array): boolean => {
  let difference = 0
  for (let i = 0; i < 256; i++) difference |= one[i]! ^ other[i]!
  return difference === 0
}
