/**
 * Second phase: the client proves who it is (RFC 1929), where that was agreed.
 */
import * as Effect from "effect/Effect"
import { Authenticator } from "../../auth/Authenticator.ts"
import { anonymous, type Identity } from "../../auth/Identity.ts"
import type { MalformedCredentials, NotHeard, VerificationError } from "../../Errors.ts"
import type { Client } from "../../network/Client.ts"
import type { Known } from "../../session/Protocol.ts"
import * as Socks5 from "../../wire/Socks5.ts"
import type { Negotiated } from "./Negotiate.ts"

declare const passed: unique symbol

/**
 * A client that was let in. Only this file can make one, and the next phase
 * takes nothing else: no road leads from a failed authentication to a request.
 */
export interface Authenticated {
  readonly [passed]: true
  readonly client: Client
  readonly identity: Identity
}

export const run = Effect.fnUntraced(function* (
  { client, method }: Negotiated,
  { certified, peer }: Pick<Known, "certified" | "peer">
): Effect.fn.Return<Authenticated, NotHeard | MalformedCredentials | VerificationError, Authenticator> {
  if (method === Socks5.Method.NoAuthentication) return admit(client, certified ?? anonymous)
  const { verify } = yield* Authenticator
  const credentials = yield* client.read(Socks5.credentials)
  const verified = yield* client.beforeDeadline(verify(credentials, peer.remote))
  yield* client.reply(Socks5.credentialsStatus(0x00))
  return admit(client, verified)
})

const admit = (client: Client, identity: Identity) => ({ client, identity }) as Authenticated
