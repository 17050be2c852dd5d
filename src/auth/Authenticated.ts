/**
 * Proofs of identity. A command needs an `Authenticated` identity, and only this file makes values of that type.
 */
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import * as Phases from "../base/Phases.ts"
import type { CertificateRefused, VerificationError } from "../Errors.ts"
import type { CertificateSubject } from "../network/CertificateSubject.ts"
import { type Credentials, Method } from "../wire/Socks5.ts"
import { Authenticator } from "./Authenticator.ts"
import { userOf } from "./CertificateUser.ts"
import { anonymous, type Identity } from "./Identity.ts"
import * as LoginLog from "./LoginLog.ts"
import type { AuthSettings } from "./Settings.ts"

declare const proven: unique symbol

/** The identity of a client that was authenticated, or that needs no authentication. */
export interface Authenticated extends Identity {
  readonly [proven]: true
}

const authenticated = (identity: Identity): Authenticated => identity as Authenticated

/** The proofs of a connection before any login. */
export interface Proof {
  /** The identity in the client's certificate. */
  readonly certified: Authenticated | undefined
  /** Whether the client's network needs no password. */
  readonly isTrusted: boolean
}

/** The identity that a user name and a password prove. */
export const byPassword = (
  credentials: Credentials,
  from: NetAddress.SocketAddress
): Effect.Effect<Authenticated, VerificationError, Authenticator> =>
  Effect.flatMap(Authenticator, ({ verify }) =>
    Phases.run(
      "authenticate",
      LoginLog.logged(Effect.map(verify(credentials, from), authenticated), {
        client: from,
        method: "password"
      })
    )
  )

/** The identity in a verified certificate: the user of that name, or the name alone if no user has that name. */
export const byCertificate = (
  subject: CertificateSubject,
  from: NetAddress.SocketAddress
): Effect.Effect<Authenticated, CertificateRefused, Authenticator> =>
  LoginLog.logged(
    Effect.gen(function* () {
      const { recognize } = yield* Authenticator
      const user = yield* userOf(subject)
      const found = yield* recognize?.(user, from) ?? Effect.undefined
      return authenticated(found ?? { user })
    }),
    { client: from, method: "certificate" }
  )

/**
 * The identity of a client without a login: by certificate, by trusted network, or because no authentication is needed.
 * Undefined where a login is needed.
 */
export const withoutLogin = ({
  certified,
  isTrusted
}: Proof): Effect.Effect<Authenticated | undefined, never, Authenticator> =>
  Effect.map(
    Authenticator,
    ({ methods }) =>
      certified ??
      (isTrusted || methods.includes(Method.NoAuthentication) ? authenticated(anonymous) : undefined)
  )

/** The same identity with the user's present groups and limits; undefined if the user may no longer log in. */
export const renewed = (
  identity: Authenticated,
  isCertified: boolean,
  from: NetAddress.SocketAddress,
  {
    auth,
    authenticator
  }: { readonly auth: AuthSettings["Service"]; readonly authenticator: Authenticator["Service"] }
): Effect.Effect<Authenticated | undefined> => {
  const { user } = identity
  if (user === undefined || authenticator.recognize === undefined) return Effect.succeed(identity)
  return Effect.match(authenticator.recognize(user, from), {
    onFailure: () => undefined,
    onSuccess: (found) => {
      const { parameters } = identity
      if (found !== undefined) return authenticated({ ...found, ...(parameters && { parameters }) })
      // A certificate needs no user of its name.
      if (isCertified) return authenticated({ user })
      // The authentication service is not asked again: it would get requests for all sessions at once.
      return auth.authUrl === undefined ? undefined : identity
    }
  })
}
