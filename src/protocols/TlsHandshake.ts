/**
 * The TLS handshake, on tls: listeners: before the protocol is detected, and within the handshake timeout.
 */
import * as Effect from "effect/Effect"
import { type Authenticated, byCertificate } from "../auth/Authenticated.ts"
import type { Authenticator } from "../auth/Authenticator.ts"
import { type CertificateRefused, type NotHeard, type TlsFailed, UnknownProtocol } from "../Errors.ts"
import type { CertificateSubject } from "../network/CertificateSubject.ts"
import type { Client } from "../network/Client.ts"
import { CurrentListener } from "../network/CurrentListener.ts"
import type { Http2Connection } from "../network/Http2Connection.ts"
import type { Peer } from "../network/Peer.ts"
import type { Secure } from "../network/Tls.ts"
import { firstByte } from "./Detect.ts"

/** What the handshake has told. */
export interface Secured {
  /** The identity in the client's certificate; undefined if the listener asks for none. */
  readonly certified: Authenticated | undefined
  /** The connection as HTTP/2 has it, if the client speaks HTTP/2. Otherwise the client is read on. */
  readonly http2: Http2Connection | undefined
}

export const run = Effect.fnUntraced(function* (
  client: Client,
  peer: Peer,
  secure: Secure
): Effect.fn.Return<
  Secured,
  NotHeard | UnknownProtocol | TlsFailed | CertificateRefused,
  Authenticator | CurrentListener
> {
  const first = yield* client.read(firstByte)
  // Checked here, because Node's TLS would wait for more bytes.
  if (first !== handshakeRecord)
    return yield* new UnknownProtocol({
      firstByte: first,
      hint: "the client does not speak TLS, and this listener speaks TLS only"
    })
  const speaksHttp = (yield* CurrentListener).protocols.includes("http")
  let subject: CertificateSubject | undefined
  let http2: Http2Connection | undefined
  yield* client.upgrade((plain, unread) =>
    Effect.map(client.beforeDeadline(secure(plain, unread, speaksHttp)), (secured) => {
      subject = secured.subject
      http2 = secured.http2
      return secured.transport
    })
  )
  const certified = subject && (yield* client.beforeDeadline(byCertificate(subject, peer.remote)))
  return { certified, http2 }
})

/** RFC 8446 §5.1, ContentType. */
const handshakeRecord = 0x16
