/**
 * The TLS handshake, on tls: listeners: before the protocol is detected, and within the handshake timeout.
 */
import * as Effect from "effect/Effect"
import { type Authenticated, byCertificate } from "../auth/Authenticated.ts"
import type { Authenticator } from "../auth/Authenticator.ts"
import { type CertificateRefused, type NotHeard, type TlsFailed, UnknownProtocol } from "../Errors.ts"
import type { CertificateSubject } from "../network/CertificateSubject.ts"
import type { Client } from "../network/Client.ts"
import type { Peer } from "../network/Peer.ts"
import type { Secure } from "../network/Tls.ts"
import { firstByte } from "./Detect.ts"

/** The identity in the client's certificate; undefined if the listener asks for none. */
export const run = Effect.fnUntraced(function* (
  client: Client,
  peer: Peer,
  secure: Secure
): Effect.fn.Return<
  Authenticated | undefined,
  NotHeard | UnknownProtocol | TlsFailed | CertificateRefused,
  Authenticator
> {
  const first = yield* client.read(firstByte)
  // Checked here, because Node's TLS would wait for more bytes.
  if (first !== handshakeRecord)
    return yield* new UnknownProtocol({
      firstByte: first,
      hint: "the client does not speak TLS, and this listener speaks TLS only"
    })
  let subject: CertificateSubject | undefined
  yield* client.upgrade((plain, unread) =>
    Effect.map(client.beforeDeadline(secure(plain, unread)), (secured) => {
      subject = secured.subject
      return secured.transport
    })
  )
  if (subject === undefined) return undefined
  return yield* client.beforeDeadline(byCertificate(subject, peer.remote))
})

/** RFC 8446 §5.1, ContentType. */
const handshakeRecord = 0x16
