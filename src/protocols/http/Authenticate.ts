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
export const authenticate = Effect.fnUntraced(function* (
  fields: Wire.Fields,
  accepted: Accepted
): Effect.fn.Return<
  Authenticated,
  MalformedCredentials | VerificationError | HandshakeTimeout | NoAcceptableMethod | NotAllowed,
  Authenticator
> {
  const { methods } = yield* Authenticator
  const [credentials, ...others] = Wire.values(fields, "proxy-authorization")
  if (others.length > 0)
    return yield* new MalformedCredentials({ reason: "more than one Proxy-Authorization" })
  if (credentials !== undefined && methods.includes(Method.UsernamePassword)) {
    const basic = yield* Effect.fromResult(Wire.basic(credentials))
    return yield* accepted.client.beforeDeadline(byPassword(basic, accepted.peer.remote))
  }
  const identity = yield* withoutLogin(accepted)
  if (identity !== undefined) return identity
  // Without users no password could succeed, so the response must not ask for one.
  if (methods.length === 0) return yield* new NotAllowed({ reason: "the client's network is not trusted" })
  return yield* new NoAcceptableMethod({ offered: [] })
})
