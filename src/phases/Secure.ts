/**
 * TLS, on listeners that have it: before any protocol, and under its deadline.
 */
import * as Effect from "effect/Effect"
import { type CertificateRefused, type NotHeard, type TlsFailed, UnknownProtocol } from "../Errors.ts"
import type { Client } from "../network/Client.ts"
import type { Secure } from "../network/Tls.ts"
import { Authenticator } from "../policy/Authenticator.ts"
import { firstByte } from "./Detect.ts"
import type { Known } from "./Dialect.ts"

/** A client with a certificate has said who it is. A user of that name is what is known of them. */
export const run = Effect.fnUntraced(function* (
  client: Client,
  known: Known,
  secure: Secure
): Effect.fn.Return<void, NotHeard | UnknownProtocol | TlsFailed | CertificateRefused, Authenticator> {
  const first = yield* client.read(firstByte)
  // TLS would wait for more of what cannot become TLS.
  if (first !== handshakeRecord)
    return yield* new UnknownProtocol({
      firstByte: first,
      hint: "the client speaks no TLS, and this listener nothing else"
    })
  let user: string | undefined
  yield* client.upgrade((duplex) =>
    Effect.map(client.inTime(secure(duplex)), (secured) => {
      user = secured.subject
      return secured.duplex
    })
  )
  if (user === undefined) return
  const { recognize } = yield* Authenticator
  known.certified = (yield* client.inTime(recognize?.(user, known.peer.remote) ?? Effect.undefined)) ?? {
    user
  }
})

/** RFC 8446 §5.1, ContentType. */
const handshakeRecord = 0x16
