/**
 * TLS, on listeners that have it: before any protocol, and under its deadline.
 */
import * as Effect from "effect/Effect"
import { type Authenticated, byCertificate } from "../auth/Authenticated.ts"
import type { Authenticator } from "../auth/Authenticator.ts"
import { CertificateRefused, type NotHeard, type TlsFailed, UnknownProtocol } from "../Errors.ts"
import type { Client } from "../network/Client.ts"
import type { Peer } from "../network/Peer.ts"
import type { Secure, Subject } from "../network/Tls.ts"
import { printable } from "../wire/Text.ts"
import { firstByte } from "./Detect.ts"

/** The identity in the client's certificate; undefined without one. */
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
  // TLS would wait for more of what cannot become TLS.
  if (first !== handshakeRecord)
    return yield* new UnknownProtocol({
      firstByte: first,
      hint: "the client speaks no TLS, and this listener nothing else"
    })
  let subject: Subject | undefined
  yield* client.upgrade((duplex) =>
    Effect.map(client.beforeDeadline(secure(duplex)), (secured) => {
      subject = secured.subject
      return secured.duplex
    })
  )
  if (subject === undefined) return undefined
  const user = yield* userOf(subject)
  return yield* client.beforeDeadline(byCertificate(user, peer.remote))
})

/**
 * The user whom a certificate is for: its common name, or its whole subject where there is no common name. Never one
 * of several names, nor one that the log could not show as it is: escaped, or cut, two names could become one.
 */
export const userOf = ({ commonNames, whole }: Subject): Effect.Effect<string, CertificateRefused> => {
  const refused = (reason: CertificateRefused["reason"]) =>
    Effect.fail(new CertificateRefused({ user: printable(whole), reason }))
  const [name, ...others] = commonNames
  if (others.length > 0) return refused("several common names")
  if (name !== undefined) {
    return name !== "" && printable(name) === name ? Effect.succeed(name) : refused("an unusable common name")
  }
  // What is escaped in it is the line breaks between its parts.
  const shown = printable(whole, most)
  return shown !== "" && shown.length <= most ? Effect.succeed(shown) : refused("an unusable subject")
}

/** Characters of a user's name. */
const most = 255

/** RFC 8446 §5.1, ContentType. */
const handshakeRecord = 0x16
