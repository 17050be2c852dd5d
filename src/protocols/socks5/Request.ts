/**
 * The third phase of SOCKS5: the client's request (RFC 1928 §4).
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { CommandNotSupported, type NotHeard, type RequestError } from "../../Errors.ts"
import type { Client } from "../../network/Client.ts"
import type { Connection, Request } from "../../session/States.ts"
import * as Socks5 from "../../wire/Socks5.ts"
import * as Target from "../../wire/Target.ts"

const commands: Readonly<Record<number, Connection["command"]>> = {
  [Socks5.Command.Connect]: "CONNECT",
  [Socks5.Command.Bind]: "BIND",
  [Socks5.Command.UdpAssociate]: "ASSOCIATE"
}

/** Reads the whole request, and then checks first the command and then the target. */
export const read = Effect.fnUntraced(function* (
  client: Client
): Effect.fn.Return<Request, NotHeard | RequestError> {
  const { command, target } = yield* client.read(Socks5.request)
  const name = commands[command]
  if (name === undefined) return yield* new CommandNotSupported({ command })
  // RFC 1928 §7: the target of ASSOCIATE is the address from which the client will send datagrams. Zeros mean that the
  // client does not know it. An invalid target means the same, and is no error.
  if (name === "ASSOCIATE") {
    return { command: name, target: Result.getOrElse(target, () => Target.unspecified) }
  }
  return { command: name, target: yield* Effect.fromResult(target) }
})
