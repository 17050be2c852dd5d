/**
 * Which protocol a client speaks: its first byte tells.
 */
import * as Effect from "effect/Effect"
import { type ClientGone, UnknownProtocol } from "../Errors.ts"
import type { Client } from "../network/Client.ts"
import { complete, type Decoder, incomplete } from "../wire/Decoder.ts"
import type { Dialect } from "./Dialect.ts"
import { Socks4 } from "./Socks4.ts"
import { Socks5 } from "./Socks5.ts"

const dialects: Readonly<Record<number, Dialect>> = { 4: Socks4, 5: Socks5 }

export const run = Effect.fnUntraced(function* (
  client: Client
): Effect.fn.Return<Dialect, ClientGone | UnknownProtocol> {
  const first = yield* client.read(firstByte)
  return dialects[first] ?? (yield* new UnknownProtocol({ firstByte: first }))
})

/** Looks, and leaves it where it is. */
const firstByte: Decoder<number> = ([first]) => (first === undefined ? incomplete : complete(first, 0))
