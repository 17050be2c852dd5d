/**
 * SOCKS5 (RFC 1928): method selection, login, request.
 */
import * as Effect from "effect/Effect"
import type { Authenticator } from "../../auth/Authenticator.ts"
import type { SessionError } from "../../Errors.ts"
import * as Reply from "../../Reply.ts"
import type { SessionLog } from "../../session/Session.ts"
import type { Accepted, Admitted } from "../../session/States.ts"
import * as Wire from "../../wire/Socks5.ts"
import type { Protocol } from "../Protocol.ts"
import * as Authenticate from "./Authenticate.ts"
import * as Negotiate from "./Negotiate.ts"
import * as Request from "./Request.ts"

export const Socks5: Protocol = {
  name: "SOCKS5",
  begin: (accepted, log) =>
    Effect.succeed({
      admit: admit(accepted, log),
      succeeded: (bound) => accepted.client.reply(Wire.reply(Wire.ReplyCode.Succeeded, bound)),
      failed: (error) => accepted.client.reply(Reply.socks5(error))
    })
}

const admit = Effect.fnUntraced(function* (
  accepted: Accepted,
  log: SessionLog
): Effect.fn.Return<Admitted, SessionError, Authenticator> {
  const method = yield* Negotiate.run(accepted)
  const identity = yield* Authenticate.run(accepted, method, log)
  const request = yield* Request.read(accepted.client)
  return { peer: accepted.peer, identity, protocol: "SOCKS5", request }
})
