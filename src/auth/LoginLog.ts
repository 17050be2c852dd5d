/**
 * Where logins are told, right and wrong ones: nowhere unless somebody listens.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as NetAddress from "effect/net/NetAddress"
import type { CertificateRefused, VerificationError } from "../Errors.ts"
import type { Identity } from "./Identity.ts"

export interface Login {
  readonly client: NetAddress.SocketAddress
  readonly method: "password" | "certificate"
  /** The user who logged in, or the name that the client gave, printable. */
  readonly user: string | undefined
  /** Why it failed; undefined for a login that was right. */
  readonly failure: { readonly reason: string | undefined } | undefined
}

export const LoginLog = Context.Reference<{
  /** Undefined while nobody listens. */
  readonly write: ((login: Login) => Effect.Effect<void>) | undefined
}>("effect-socks/auth/LoginLog", { defaultValue: () => ({ write: undefined }) })

/** The same attempt, told where logins are told. One that could not be judged is no login. */
export const told = <A extends Identity, E extends VerificationError | CertificateRefused, R>(
  attempt: Effect.Effect<A, E, R>,
  login: Pick<Login, "client" | "method">
): Effect.Effect<A, E, R> =>
  Effect.flatMap(LoginLog, ({ write }) =>
    write === undefined
      ? attempt
      : attempt.pipe(
          Effect.tap(({ user }) => write({ ...login, user, failure: undefined })),
          Effect.tapError((error) =>
            error._tag === "AuthenticationFailed" || error._tag === "CertificateRefused"
              ? write({ ...login, user: error.user, failure: { reason: error.reason } })
              : Effect.void
          )
        )
  )
