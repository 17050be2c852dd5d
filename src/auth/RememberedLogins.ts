/**
 * Recent logins with a right password, so that the password hash is not computed again. Workers tell each other of such
 * logins.
 *
 * A login is remembered by a keyed hash of user name, stored hash and password. When the stored hash of a user changes,
 * the keyed hash is another, so an old password is no longer right. The login of a removed user is never looked up.
 */
import * as Context from "effect/Context"
import type { Digest } from "../base/KeyedHash.ts"

/** The keyed hash of a login, and the end of its time, in milliseconds since the epoch. */
export type Remembered = readonly [login: string, until: number]

export interface RememberedLogins {
  /** The keyed hash of a login, from its parts. */
  readonly digest: Digest
  readonly has: (login: string, now: number) => boolean
  readonly add: (login: string, now: number) => void
}

/** Remembered logins that also take the logins of other processes. */
interface Copy extends RememberedLogins {
  /** Takes logins of another process; `now` is in milliseconds since the epoch. */
  readonly follow: (logins: ReadonlyArray<Remembered>, now: number) => void
  /** The logins that are remembered at `now`. */
  readonly all: (now: number) => ReadonlyArray<Remembered>
}

/** Milliseconds for which a login is remembered. */
export const rememberedFor = 15 * 60_000

/** `tell` gets each login that `add` takes. At most `limit` logins are kept; the oldest are dropped first. */
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
      const until = now + rememberedFor
      put(login, until)
      tell?.([login, until])
    },
    follow: (logins, now) => {
      for (const [login, until] of logins) if (holds(until, now)) put(login, until)
    },
    all: (now) => [...known].filter(([, until]) => holds(until, now))
  }
}

/** Also false for a time too far ahead: a clock that is set back must not make a login last longer. */
const holds = (until: number | undefined, now: number): boolean =>
  until !== undefined && now < until && until <= now + rememberedFor

/** The remembered logins that workers share; undefined where each `Authenticator` has its own. */
export const RememberedLogins = Context.Reference<RememberedLogins | undefined>(
  "effect-socks/auth/RememberedLogins",
  { defaultValue: () => undefined }
)
