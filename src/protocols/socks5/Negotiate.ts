/**
 * First phase: client and server agree on how the client proves who it is
 * (RFC 1928 §3).
 */
import * as Effect from "effect/Effect"
import { Authenticator } from "../../auth/Authenticator.ts"
import { NoAcceptableMethod, type NotHeard, type UnknownProtocol } from "../../Errors.ts"
import type { Client } from "../../network/Client.ts"
import type { Known } from "../../session/Protocol.ts"
import * as Socks5 from "../../wire/Socks5.ts"

/** A client that has been told which method to use. */
export interface Negotiated {
  readonly client: Client
  readonly method: Socks5.Method
}

/**
 * The preference is the server's, whatever the order of the client's offer. Who
 * has said who he is, in his certificate, is not asked again; who is trusted
 * without that may still say who he is.
 */
export const run = Effect.fnUntraced(function* (
  client: Client,
  { certified, trusted }: Pick<Known, "certified" | "trusted"> = {}
): Effect.fn.Return<Negotiated, NotHeard | UnknownProtocol | NoAcceptableMethod, Authenticator> {
  const { methods } = yield* Authenticator
  const offered = yield* client.read(Socks5.greeting)
  const { NoAuthentication } = Socks5.Method
  const accepted = certified
    ? [NoAuthentication, ...methods]
    : trusted
      ? [...methods, NoAuthentication]
      : methods
  const method = accepted.find((candidate) => offered.includes(candidate))
  if (method === undefined) return yield* new NoAcceptableMethod({ offered: [...offered] })
  yield* client.reply(Socks5.methodSelection(method))
  return { client, method }
})
