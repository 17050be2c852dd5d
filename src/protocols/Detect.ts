/**
 * Detects the protocol of a client by its first byte.
 */
import * as Effect from "effect/Effect"
import type { ProtocolName } from "../config/Parsers.ts"
import { type NotHeard, UnknownProtocol } from "../Errors.ts"
import type { Client } from "../network/Client.ts"
import { CurrentListener } from "../network/CurrentListener.ts"
import { complete, type Decoder, incomplete } from "../wire/Decoder.ts"
import { Http } from "./http/Http.ts"
import type { Protocol } from "./Protocol.ts"
import { Socks4 } from "./Socks4.ts"
import { Socks5 } from "./socks5/Socks5.ts"

const protocolsByName: Readonly<Record<ProtocolName, Protocol>> = {
  socks5: Socks5,
  socks4: Socks4,
  http: Http
}

/** The detected protocol. A protocol that the listener does not allow is as unknown as any other. */
export const run = Effect.fnUntraced(function* (
  client: Client
): Effect.fn.Return<Protocol, NotHeard | UnknownProtocol, CurrentListener> {
  const { protocols } = yield* CurrentListener
  const first = yield* client.read(opening)
  const protocol = protocols.find((candidate) => startsWith[candidate](first))
  if (protocol === undefined) return yield* new UnknownProtocol({ firstByte: first, ...hints[first] })
  return protocolsByName[protocol]
})

const startsWith: Readonly<Record<ProtocolName, (byte: number) => boolean>> = {
  socks5: (byte) => byte === 5,
  socks4: (byte) => byte === 4,
  http: (byte) => /[A-Za-z]/.test(String.fromCharCode(byte))
}

const hints: Readonly<Record<number, { readonly hint: string }>> = {
  // RFC 8446 §5.1, a handshake record.
  22: { hint: "the client speaks TLS: only listeners with tls: before their address do" }
}

/**
 * Reads the first byte without consuming it. Before a letter, a few empty lines are none of it: HTTP permits them before
 * a request (RFC 9112 §2.2).
 */
const opening: Decoder<number> = (bytes) => {
  let at = 0
  while (at < emptyLimit && bytes[at] === 0x0d && bytes[at + 1] === 0x0a) at += 2
  const first = bytes[at]
  if (first === undefined || (first === 0x0d && at + 1 === bytes.length)) return incomplete
  return complete(startsWith.http(first) ? first : bytes[0]!, 0)
}

/** The most bytes of empty lines. */
const emptyLimit = 8

/** Reads the first byte without consuming it. */
export const firstByte: Decoder<number> = ([first]) => (first === undefined ? incomplete : complete(first, 0))
