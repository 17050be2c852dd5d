/**
 * The second phase of SOCKS5: the client logs in (RFC 1929), if that method was selected.
 */
import * as Effect from "effect/Effect"
import { type Authenticated, byPassword, withoutLogin } from "../../auth/Authenticated.ts"
import type { Authenticator } from "../../auth/Authenticator.ts"
import { type MalformedCredentials, NotAllowed, type NotHeard, type VerificationError } from "../../Errors.ts"
import type { SessionLog } from "../../session/Session.ts"
import type { Accepted } from "../../session/States.ts"
import * as Socks5 from "../../wire/Socks5.ts"

export const run = Effect.fnUntraced(function* (
  accepted: Accepted,
  method: Socks5.Method,
  log: Pick<SessionLog, "user">
): Effect.fn.Return<
  Authenticated,
  NotHeard | MalformedCredentials | VerificationError | NotAllowed,
  Authenticator
> {
  const { client, peer } = accepted
  if (method === Socks5.Method.NoAuthentication) {
    const identity = yield* withoutLogin(accepted)
    // A reload can have changed the settings since the method was selected.
    if (identity === undefined) return yield* new NotAllowed({ reason: "a login is needed" })
    log.user = identity.user
    return identity
  }
  const credentials = yield* client.read(Socks5.credentials)
  const identity = yield* client.beforeDeadline(byPassword(credentials, peer.remote))
  // Before the reply, so that the session is found when the user is removed meanwhile.
  log.user = identity.user
  yield* client.reply(Socks5.credentialsStatus(0x00))
  return identity
})
