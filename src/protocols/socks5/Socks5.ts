/**
 * SOCKS5, the three phases in their order (RFC 1928).
 */
import * as Effect from "effect/Effect"
import type { Client } from "../../network/Client.ts"
import * as Reply from "../../Reply.ts"
import type { Known, Protocol } from "../../session/Protocol.ts"
import * as Wire from "../../wire/Socks5.ts"
import * as Authenticate from "./Authenticate.ts"
import * as Negotiate from "./Negotiate.ts"
import * as Request from "./Request.ts"

export const Socks5: Protocol = {
  name: "SOCKS5",
  begin: (client) => ({
    receive: (known) => receive(client, known),
    succeeded: (bound) => client.reply(Wire.reply(Wire.ReplyCode.Succeeded, bound)),
    failed: (error) => client.reply(Reply.socks5(error))
  })
}

const receive = Effect.fnUntraced(function* (client: Client, known: Known) {
  const negotiated = yield* Negotiate.run(client, known)
  const authenticated = yield* Authenticate.run(negotiated, known)
  known.identity = authenticated.identity
  return yield* Request.read(authenticated)
})
