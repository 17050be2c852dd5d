/**
 * Logins with user names that carry parameters.
 */
import * as Effect from "effect/Effect"
import { AuthenticationFailed } from "../Errors.ts"
import { printable } from "../wire/Text.ts"
import type { Authenticator } from "./Authenticator.ts"
import { read, type UserParameter } from "./UserParameters.ts"

/** The authenticator `inner`, of users whose names may have these parameters. */
export const around = (
  declared: ReadonlyArray<UserParameter>,
  inner: Authenticator["Service"]
): Authenticator["Service"] => {
  if (declared.length === 0) return inner
  const verify: Authenticator["Service"]["verify"] = (credentials, from) => {
    const text = utf8.decode(credentials.username)
    const found = read(declared, text)
    if ("refused" in found) {
      return Effect.fail(new AuthenticationFailed({ user: printable(text), reason: found.refused }))
    }
    const username = bytes.encode(found.user)
    // A name without parameters is left as it is: it may be no UTF-8.
    return Object.keys(found.parameters).length === 0
      ? inner.verify(credentials, from)
      : Effect.map(inner.verify({ ...credentials, username }, from), (identity) => ({
          ...identity,
          parameters: found.parameters
        }))
  }
  return {
    get methods() {
      return inner.methods
    },
    verify,
    ...(inner.recognize && { recognize: inner.recognize }),
    ...(inner.changes && { changes: inner.changes })
  }
}

const utf8 = new TextDecoder()
const bytes = new TextEncoder()
