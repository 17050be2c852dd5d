/**
 * TLS, on listeners that have it: before any protocol, and under its deadline.
 */
import * as Effect from "effect/Effect"
import { type ClientGone, type TlsFailed, UnknownProtocol } from "../Errors.ts"
import type { Client } from "../network/Client.ts"
import type { Secure } from "../network/Tls.ts"
import { firstByte } from "./Detect.ts"
import type { Known } from "./Dialect.ts"

/** A client with a certificate has said who it is. */
export const run = Effect.fnUntraced(function* (
  client: Client,
  known: Known,
  secure: Secure
): Effect.fn.Return<void, ClientGone | UnknownProtocol | TlsFailed> {
  const first = yield* client.read(firstByte)
  // TLS would wait for more of what cannot become TLS.
  if (first !== handshakeRecord)
    return yield* new UnknownProtocol({
      firstByte: first,
      hint: "the client speaks no TLS, and this listener nothing else"
    })
  yield* client.upgrade((duplex) =>
    Effect.map(secure(duplex), (secured) => {
      if (secured.subject !== undefined) known.certified = { user: secured.subject }
      return secured.duplex
    })
  )
})

/** RFC 8446 §5.1, ContentType. */
const handshakeRecord = 0x16
