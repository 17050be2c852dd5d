/**
 * The log of successful and failed logins. Its default writes nothing; `session/EventSources` makes events of logins.
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
  /** The reason of a failed login; undefined for a successful login. */
  readonly failure: { readonly reason: string | undefined } | undefined
}

export const LoginLog = Context.Reference<{
  /** Undefined while no listener takes logins. */
  readonly write: ((login: Login) => Effect.Effect<void>) | undefined
}>("effect-socks/auth/LoginLog", { defaultValue: () => ({ write: undefined }) })

/** Runs the attempt, and writes its outcome to the log. Nothing is written if the attempt could not be decided. */
export const logged = <A extends Identity, E extends VerificationError | CertificateRefused, R>(
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
