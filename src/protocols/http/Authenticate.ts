/**
 * The authentication of an HTTP request to a proxy (RFC 9110 §11.7).
 */
import * as Effect from "effect/Effect"
import { type Authenticated, byPassword, withoutLogin } from "../../auth/Authenticated.ts"
import { Authenticator } from "../../auth/Authenticator.ts"
import {
  type HandshakeTimeout,
  MalformedCredentials,
  NoAcceptableMethod,
  NotAllowed,
  type VerificationError
} from "../../Errors.ts"
import type { Accepted } from "../../session/States.ts"
import * as Wire from "../../wire/Http.ts"
import { Method } from "../../wire/Socks5.ts"

/** The client's identity: by its credentials if it sends some, or else without a login. A password is checked before the deadline. */
export const authenticate = (
  fields: Wire.Fields,
  accepted: Accepted
): Effect.Effect<Authenticated, Failure, Authenticator> => {
  if (accepted.certified) return Effect.succeed(accepted.certified)
  const credentials = Wire.values(fields, "proxy-authorization")
  if (credentials.length > 1) {
    return Effect.fail(new MalformedCredentials({ reason: "more than one Proxy-Authorization" }))
  }
  return Effect.flatMap(Authenticator, ({ methods }) =>
    credentials.length === 1 && methods.includes(Method.UsernamePassword)
      ? Effect.flatMap(Effect.fromResult(Wire.basic(credentials[0]!)), (basic) =>
          accepted.client.beforeDeadline(byPassword(basic, accepted.peer.remote))
        )
      : Effect.flatMap(withoutLogin(accepted), (identity): Effect.Effect<Authenticated, Failure> => {
          if (identity !== undefined) return Effect.succeed(identity)
          // Without users no password could succeed, so the response must not ask for one.
          return methods.length === 0
            ? Effect.fail(new NotAllowed({ reason: "the client's network is not trusted" }))
            : Effect.fail(new NoAcceptableMethod({ offered: [] }))
        })
  )
}

type Failure = MalformedCredentials | VerificationError | HandshakeTimeout | NoAcceptableMethod | NotAllowed
