/**
 * Third phase: the client says what it wants (RFC 1928 §4).
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

/** Read whole before it is judged: a command not carried out is that, whatever its target. */
export const read = Effect.fnUntraced(function* (
  client: Client
): Effect.fn.Return<Request, NotHeard | RequestError> {
  const { command, target } = yield* client.read(Socks5.request)
  const name = commands[command]
  if (name === undefined) return yield* new CommandNotSupported({ command })
  // RFC 1928 §7: not where an ASSOCIATE goes to but where its datagrams will come
  // from. What says nothing of that says as much as zeros do, and is no mistake.
  if (name === "ASSOCIATE") {
    return { command: name, target: Result.getOrElse(target, () => Target.unspecified) }
  }
  return { command: name, target: yield* Effect.fromResult(target) }
})
