/**
 * The first phase of SOCKS5: the server selects the authentication method (RFC 1928 §3).
 */
import * as Effect from "effect/Effect"
import { Authenticator } from "../../auth/Authenticator.ts"
import { NoAcceptableMethod, type NotHeard, type UnknownProtocol } from "../../Errors.ts"
import type { Accepted } from "../../session/States.ts"
import * as Socks5 from "../../wire/Socks5.ts"

/**
 * Selects a method, and sends it to the client. The server's order of preference decides, whatever the client's order.
 * A client with a certificate needs no login. A client of a trusted network may log in.
 */
export const run = Effect.fnUntraced(function* ({
  client,
  certified,
  isTrusted
}: Accepted): Effect.fn.Return<
  Socks5.Method,
  NotHeard | UnknownProtocol | NoAcceptableMethod,
  Authenticator
> {
  const { methods } = yield* Authenticator
  const offered = yield* client.read(Socks5.greeting)
  const { NoAuthentication } = Socks5.Method
  const accepted = certified
    ? [NoAuthentication, ...methods]
    : isTrusted
      ? [...methods, NoAuthentication]
      : methods
  const method = accepted.find((candidate) => offered.includes(candidate))
  if (method === undefined) return yield* new NoAcceptableMethod({ offered: [...offered] })
  yield* client.reply(Socks5.methodSelection(method))
  return method
})
