/**
 * Third phase: the client says what it wants (RFC 1928 §4).
 */
import * as Effect from "effect/Effect"
import { type ClientGone, CommandNotSupported, type RequestError } from "../Errors.ts"
import * as Socks5 from "../wire/Socks5.ts"
import type { Authenticated } from "./Authenticate.ts"
import type { Command, Request } from "./Dialect.ts"

const commands: Readonly<Record<number, Command>> = {
  [Socks5.Command.Connect]: "CONNECT",
  [Socks5.Command.Bind]: "BIND",
  [Socks5.Command.UdpAssociate]: "ASSOCIATE"
}

/** Read whole before it is judged: a command not carried out is that, whatever its target. */
export const read = Effect.fnUntraced(function* ({
  client
}: Authenticated): Effect.fn.Return<Request, ClientGone | RequestError> {
  const { command, target } = yield* client.read(Socks5.request)
  const name = commands[command]
  if (name === undefined) return yield* new CommandNotSupported({ command })
  return { command: name, target: yield* Effect.fromResult(target) }
})
