/**
 * Logins whose password was right a while ago, so that its hash need not be
 * computed again. Where several processes serve, each tells the others.
 *
 * A login is remembered by a keyed hash of user name, stored hash and password.
 * A password is right for that stored hash only: another stored hash gives
 * another keyed hash, and a user who is removed is not looked up here at all.
 */
import * as Context from "effect/Context"
import type { Digest } from "../base/KeyedHash.ts"

/** The keyed hash of a login that was right, and until when that holds, in milliseconds since the epoch. */
export type Remembered = readonly [login: string, until: number]

export interface RememberedLogins {
  /** The keyed hash of a login, from its parts. */
  readonly digest: Digest
  readonly has: (login: string, now: number) => boolean
  readonly add: (login: string, now: number) => void
}

/** One that has the logins of another process too. */
interface Copy extends RememberedLogins {
  readonly follow: (logins: ReadonlyArray<Remembered>, now: number) => void
  /** Those that hold now. */
  readonly all: (now: number) => ReadonlyArray<Remembered>
}

/** How long a login is remembered, in milliseconds. */
export const lasting = 15 * 60_000

/** `tell` gets each login that is added here. At most `limit` are kept; the oldest go first. */
export const make = (digest: Digest, tell?: (login: Remembered) => void, limit = 8192): Copy => {
  const known = new Map<string, number>()

  const put = (login: string, until: number) => {
    known.delete(login)
    known.set(login, until)
    if (known.size > limit) known.delete(known.keys().next().value!)
  }

  return {
    digest,
    has: (login, now) => holds(known.get(login), now),
    add: (login, now) => {
      const until = now + lasting
      put(login, until)
      tell?.([login, until])
    },
    follow: (logins, now) => {
      for (const [login, until] of logins) if (holds(until, now)) put(login, until)
    },
    all: (now) => [...known].filter(([, until]) => holds(until, now))
  }
}

/** A clock that is set back makes nothing hold longer. */
const holds = (until: number | undefined, now: number): boolean =>
  until !== undefined && now < until && until <= now + lasting

/** Those that several processes share; undefined where each `Authenticator` has its own. */
export const RememberedLogins = Context.Reference<RememberedLogins | undefined>(
  "effect-socks/auth/RememberedLogins",
  { defaultValue: () => undefined }
)
