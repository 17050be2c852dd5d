/**
 * TLS on connections that are there already, the server's side of it.
 *
 * Half-close works over TLS as it does over TCP: a close_notify ends one
 * direction (RFC 8446 §6.1; clients of TLS 1.2 that answer it with their own, as
 * RFC 5246 §7.2.1 has it, end both). Node does not tell a FIN without close_notify from one
 * with it, so a client whose sending was cut short by someone on the path looks
 * as if it had finished.
 */
import { constants } from "node:crypto"
import { createServer, type TLSSocket } from "node:tls"
import * as Effect from "effect/Effect"
import { ClientGone, TlsFailed } from "../Errors.ts"
import type { CertificateSubject } from "./CertificateSubject.ts"
import * as NodeTransport from "./NodeTransport.ts"
import type { Transport } from "./Transport.ts"

/** PEM texts. */
interface Credentials {
  readonly cert: string
  readonly key: string
  /** Who issues the certificates that clients must have; nothing if they need none. */
  readonly clientCa: string | undefined
  /** Which of those certificates are revoked: a list of each of the authorities. */
  readonly clientCrl?: string | undefined
}

/** A connection after its handshake. */
export interface Secured {
  readonly transport: Transport
  /** The subject of the client's certificate; undefined if the client was asked for none. */
  readonly subject: CertificateSubject | undefined
}

/** Does the handshake on a connection, of which something may have been read. */
export type Secure = (plain: Transport, unread: Uint8Array) => Effect.Effect<Secured, TlsFailed | ClientGone>

/** Node has its own deadline, of two minutes; the server's comes first, whatever it is. */
const noTimeout = 2 ** 31 - 1

export const make = ({ cert, key, clientCa, clientCrl }: Credentials): Secure => {
  // Never listens: connections are given to it, which may have said something
  // before. Only as a server does Node judge the certificates of clients.
  const server = createServer({
    cert,
    key,
    minVersion: "TLSv1.2",
    handshakeTimeout: noTimeout,
    ...(clientCa !== undefined && {
      ca: clientCa,
      requestCert: true,
      rejectUnauthorized: true,
      // A session that is resumed (RFC 8446 §2.2) is not judged again: an expired or revoked certificate would go
      // on by it for as long as its holder likes. Without tickets, and with nobody who keeps sessions, there is none.
      secureOptions: constants.SSL_OP_NO_TICKET
    }),
    ...(clientCrl !== undefined && { crl: revocationLists(clientCrl) })
  })
  let isToldOfList = false
  /** No certificate is good then, and its owner cannot know why. */
  const tellOfList = ({ code }: TlsFailed) =>
    Effect.suspend(() => {
      if (isToldOfList || !/^CRL_(HAS_EXPIRED|NOT_YET_VALID)$/.test(code)) return Effect.void
      isToldOfList = true
      return Effect.logError(
        "clients with a certificate are turned away: their revocation list is not valid now",
        { code }
      )
    })

  const secured = (plain: Transport, socket: TLSSocket): Secured => ({
    transport: NodeTransport.make(socket, { carrier: plain }),
    subject: clientCa === undefined ? undefined : subjectOf(socket)
  })

  const handshake: Secure = (plain, unread) =>
    Effect.callback((resume) => {
      if (plain.isClosed) return resume(Effect.fail(new ClientGone()))
      // Node's events do not say which connection they are of. So each connection
      // has the server to itself, as far as it hears.
      const emit = (event: string, ...about: ReadonlyArray<unknown>) => {
        const [first, second] = about
        if (event === "secureConnection") resume(Effect.succeed(secured(plain, first as TLSSocket)))
        if (event === "tlsClientError")
          resume(Effect.fail(failure(first as NodeJS.ErrnoException, second as TLSSocket)))
        return server.emit(event, ...about)
      }
      Reflect.apply(server.emit, Object.create(server, { emit: { value: emit } }), [
        "connection",
        plain.handOver(unread)
      ])
    })
  return clientCrl === undefined
    ? handshake
    : (plain, unread) =>
        Effect.tapError(handshake(plain, unread), (error) =>
          error._tag === "TlsFailed" ? tellOfList(error) : Effect.void
        )
}

/** Each of the lists in a PEM text, of which Node reads one. */
export const revocationLists = (pem: string): Array<string> =>
  pem.match(/-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g) ?? []

const failure = (
  { code, message }: NodeJS.ErrnoException,
  { authorizationError }: TLSSocket
): TlsFailed | ClientGone => {
  // Of a certificate that it does not trust, Node says that the connection was reset.
  if (authorizationError) return new TlsFailed({ code: String(authorizationError) })
  return code === "ECONNRESET" ? new ClientGone() : new TlsFailed({ code: code ?? message })
}

/** Read from the structure: in printed text, what is in a name cannot be told from what is around it. */
const subjectOf = (socket: TLSSocket): CertificateSubject => {
  const { CN = [] }: { readonly CN?: string | ReadonlyArray<string> } =
    socket.getPeerCertificate().subject ?? {}
  return {
    commonNames: typeof CN === "string" ? [CN] : CN,
    whole: socket.getPeerX509Certificate()?.subject ?? ""
  }
}
