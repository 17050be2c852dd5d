/**
 * Third phase: the client says what it wants (RFC 1928 §4).
 */
import * as Effect from "effect/Effect"
import { type ClientGone, CommandNotSupported, type RequestError } from "../Errors.ts"
import * as Socks5 from "../wire/Socks5.ts"
import type { Target } from "../wire/Target.ts"
import type { Authenticated } from "./Authenticate.ts"

/** What a client that was let in asks for. */
export interface Request {
  readonly command: "CONNECT"
  readonly target: Target
}

/** Read whole before it is judged: a command not carried out is that, whatever its target. */
export const read = Effect.fnUntraced(function* ({
  client
}: Authenticated): Effect.fn.Return<Request, ClientGone | RequestError> {
  const { command, target } = yield* client.read(Socks5.request)
  if (command !== Socks5.Command.Connect) return yield* new CommandNotSupported({ command })
  return { command: "CONNECT", target: yield* Effect.fromResult(target) }
})
