/**
 * SOCKS4 and SOCKS4A: one message says it all, and proves nothing. So it is for
 * servers that ask nobody who he is; the user id is taken at its word. Where
 * others have to prove a name, it is worth nothing: then clients that are trusted
 * come in without one.
 */
import * as Effect from "effect/Effect"
import { AuthenticationFailed, CommandNotSupported } from "../Errors.ts"
import { Authenticator } from "../policy/Authenticator.ts"
import { nobody } from "../policy/Identity.ts"
import * as Reply from "../Reply.ts"
import * as Wire from "../wire/Socks4.ts"
import { Method } from "../wire/Socks5.ts"
import { printable } from "../wire/Text.ts"
import type { Connection, Dialect } from "./Dialect.ts"

const commands: Readonly<Record<number, Connection["command"]>> = {
  [Wire.Command.Connect]: "CONNECT",
  [Wire.Command.Bind]: "BIND"
}

export const Socks4: Dialect = {
  name: "SOCKS4",
  begin: (client) => ({
    receive: Effect.fnUntraced(function* (known) {
      const { methods } = yield* Authenticator
      const { command, target, userId } = yield* client.read(Wire.request)
      const user = printable(userId)
      const asksNobody = methods.includes(Method.NoAuthentication)
      if (!known.certified && !known.trusted && !asksNobody) return yield* new AuthenticationFailed({ user })
      const isBelieved = asksNobody || methods.length === 0
      known.identity = known.certified ?? (isBelieved && user !== "" ? { user } : nobody)
      const name = commands[command]
      if (name === undefined) return yield* new CommandNotSupported({ command })
      return { command: name, target: yield* Effect.fromResult(target) }
    }),
    succeeded: (bound) => client.reply(Wire.reply(Wire.ReplyCode.Granted, bound)),
    failed: (error) => client.reply(Reply.socks4(error))
  })
}
