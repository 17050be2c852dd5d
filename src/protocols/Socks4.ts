/**
 * SOCKS4 and SOCKS4A: a request of one message, without authentication. So only clients that need no login can use it:
 * all clients where there are no users, clients of trusted networks, and clients with a certificate. The user id is for
 * the log only: no rule and no limit uses it.
 */
import * as Effect from "effect/Effect"
import { withoutLogin } from "../auth/Authenticated.ts"
import type { Authenticator } from "../auth/Authenticator.ts"
import { AuthenticationFailed, CommandNotSupported, type SessionError } from "../Errors.ts"
import * as Reply from "../Reply.ts"
import type { SessionLog } from "../session/Session.ts"
import type { Accepted, Admitted, Connection } from "../session/States.ts"
import * as Wire from "../wire/Socks4.ts"
import { printable } from "../wire/Text.ts"
import type { Protocol } from "./Protocol.ts"

const commands: Readonly<Record<number, Connection["command"]>> = {
  [Wire.Command.Connect]: "CONNECT",
  [Wire.Command.Bind]: "BIND"
}

export const Socks4: Protocol = {
  name: "SOCKS4",
  begin: (accepted, log) =>
    Effect.succeed({
      admit: admit(accepted, log),
      succeeded: (bound) => accepted.client.reply(Wire.reply(Wire.ReplyCode.Granted, bound)),
      failed: (error) => accepted.client.reply(Reply.socks4(error))
    })
}

const admit = Effect.fnUntraced(function* (
  accepted: Accepted,
  log: SessionLog
): Effect.fn.Return<Admitted, SessionError, Authenticator> {
  const { client, peer } = accepted
  const { command, target, userId } = yield* client.read(Wire.request)
  const user = printable(userId)
  const identity = yield* withoutLogin(accepted)
  if (identity === undefined) return yield* new AuthenticationFailed({ user })
  log.user = identity.user
  if (user !== "") log.unverifiedUser = user
  const name = commands[command]
  if (name === undefined) return yield* new CommandNotSupported({ command })
  const request = { command: name, target: yield* Effect.fromResult(target) }
  return { peer, identity, protocol: "SOCKS4", request }
})
