/**
 * SOCKS4 and SOCKS4A: one message says it all, and proves nothing. So it is for
 * servers that ask nobody who he is, and for clients that are trusted or have a
 * certificate. The user id is for the log: no rule and no limit goes by it.
 */
import * as Effect from "effect/Effect"
import { Authenticator } from "../auth/Authenticator.ts"
import { anonymous } from "../auth/Identity.ts"
import { AuthenticationFailed, CommandNotSupported, type SessionError } from "../Errors.ts"
import type { Client } from "../network/Client.ts"
import * as Reply from "../Reply.ts"
import type { Connection, Known, Protocol, Request } from "../session/Protocol.ts"
import * as Wire from "../wire/Socks4.ts"
import { Method } from "../wire/Socks5.ts"
import { printable } from "../wire/Text.ts"

const commands: Readonly<Record<number, Connection["command"]>> = {
  [Wire.Command.Connect]: "CONNECT",
  [Wire.Command.Bind]: "BIND"
}

export const Socks4: Protocol = {
  name: "SOCKS4",
  begin: (client) => ({
    receive: (known) => receive(client, known),
    succeeded: (bound) => client.reply(Wire.reply(Wire.ReplyCode.Granted, bound)),
    failed: (error) => client.reply(Reply.socks4(error))
  })
}

const receive = Effect.fnUntraced(function* (
  client: Client,
  known: Known
): Effect.fn.Return<Request, SessionError, Authenticator> {
  const { methods } = yield* Authenticator
  const { command, target, userId } = yield* client.read(Wire.request)
  const user = printable(userId)
  const asksNobody = methods.includes(Method.NoAuthentication)
  if (!known.certified && !known.trusted && !asksNobody) return yield* new AuthenticationFailed({ user })
  known.identity = known.certified ?? anonymous
  if (user !== "") known.unverifiedUser = user
  const name = commands[command]
  if (name === undefined) return yield* new CommandNotSupported({ command })
  return { command: name, target: yield* Effect.fromResult(target) }
})
