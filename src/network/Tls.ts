/**
 * The server's side of TLS, on accepted connections.
 *
 * Half-close works over TLS as over TCP: a close_notify ends one direction (RFC 8446 §6.1). Clients of TLS 1.2 that
 * answer with a close_notify of their own end both directions (RFC 5246 §7.2.1). Node does not distinguish a FIN with
 * close_notify from a FIN without. So an attacker on the path who injects a FIN makes a client look finished.
 */
import { constants } from "node:crypto"
import { createServer, type TLSSocket } from "node:tls"
import * as Effect from "effect/Effect"
import { ClientGone, TlsFailed } from "../Errors.ts"
import type { CertificateSubject } from "./CertificateSubject.ts"
import type { Http2Connection } from "./Http2Connection.ts"
import * as NodeTransport from "./NodeTransport.ts"
import type { Transport } from "./Transport.ts"

/** Certificates and keys, in PEM. */
interface Credentials {
  readonly cert: string
  readonly key: string
  /** The authorities of client certificates; undefined if clients need no certificate. */
  readonly clientCa: string | undefined
  /** The revocation lists of client certificates: one of each authority. */
  readonly clientCrl?: string | undefined
}

/** A connection after its handshake. */
export interface Secured {
  /** The decrypted bytes; undefined if they are HTTP/2. */
  readonly transport: Transport | undefined
  /** The connection as HTTP/2 has it, if the client has asked for HTTP/2 (RFC 7301). */
  readonly http2?: Http2Connection
  /** The subject of the client's certificate; undefined if the client was asked for none. */
  readonly subject: CertificateSubject | undefined
}

/**
 * Does the handshake on a connection. `unread` are bytes that were read from the connection already. HTTP/2 is offered
 * only if `speaksHttp`.
 */
export type Secure = (
  plain: Transport,
  unread: Uint8Array,
  speaksHttp?: boolean
) => Effect.Effect<Secured, TlsFailed | ClientGone>

/** Switches Node's own handshake timeout off, of two minutes: the server's setting holds alone. */
const noTimeout = 2 ** 31 - 1

export const make = ({ cert, key, clientCa, clientCrl }: Credentials): Secure => {
  // This server never listens: it gets connections of which bytes may have been read. A server is needed because Node
  // verifies client certificates only there.
  const server = createServer({
    cert,
    key,
    ALPNProtocols: ["h2", "http/1.1", "http/1.0"],
    minVersion: "TLSv1.2",
    handshakeTimeout: noTimeout,
    ...(clientCa !== undefined && {
      ca: clientCa,
      requestCert: true,
      rejectUnauthorized: true,
      // The certificate of a resumed session (RFC 8446 §2.2) is not verified again, so an expired or revoked
      // certificate could be used without end. Without tickets, and without a store of sessions, no session can be
      // resumed.
      secureOptions: constants.SSL_OP_NO_TICKET
    }),
    ...(clientCrl !== undefined && { crl: revocationLists(clientCrl) })
  })
  let isToldOfList = false
  /** Logs once that the revocation list is not valid: then all client certificates are refused. */
  const tellOfList = ({ code }: TlsFailed) =>
    Effect.suspend(() => {
      if (isToldOfList || !/^CRL_(HAS_EXPIRED|NOT_YET_VALID)$/.test(code)) return Effect.void
      isToldOfList = true
      return Effect.logError(
        "clients with a certificate are turned away: their revocation list is not valid now",
        { code }
      )
    })

  const secured = (plain: Transport, socket: TLSSocket): Effect.Effect<Secured, ClientGone> => {
    const subject = clientCa === undefined ? undefined : subjectOf(socket)
    if (socket.alpnProtocol !== "h2") {
      return Effect.succeed({ transport: NodeTransport.make(socket, { carrier: plain }), subject })
    }
    // Loaded when the first client asks for HTTP/2. What comes meanwhile waits in the socket.
    return Effect.flatMap(
      Effect.promise(() => import("./Http2Connection.ts")),
      (Http2Connection) =>
        socket.destroyed
          ? Effect.fail(new ClientGone())
          : Effect.succeed({ transport: undefined, http2: Http2Connection.make(socket, plain), subject })
    )
  }

  const handshake: Secure = (plain, unread, speaksHttp) =>
    Effect.callback((resume) => {
      if (plain.isClosed) return resume(Effect.fail(new ClientGone()))
      // Node's events do not name their connection. So each connection gets a server object of its own, which inherits
      // from the server and catches the events.
      const emit = (event: string, ...about: ReadonlyArray<unknown>) => {
        const [first, second] = about
        if (event === "secureConnection") resume(secured(plain, first as TLSSocket))
        if (event === "tlsClientError")
          resume(Effect.fail(failure(first as NodeJS.ErrnoException, second as TLSSocket)))
        return server.emit(event, ...about)
      }
      const own = Object.create(server, {
        emit: { value: emit },
        // A client of a listener without HTTP may name a protocol of its own, which nobody has to know.
        ...(!speaksHttp && { ALPNProtocols: { value: undefined } })
      })
      Reflect.apply(server.emit, own, ["connection", plain.handOver(unread)])
    })
  return clientCrl === undefined
    ? handshake
    : (plain, unread, speaksHttp) =>
        Effect.tapError(handshake(plain, unread, speaksHttp), (error) =>
          error._tag === "TlsFailed" ? tellOfList(error) : Effect.void
        )
}

/** The revocation lists in a PEM text: Node reads only the first list of a text. */
export const revocationLists = (pem: string): Array<string> =>
  pem.match(/-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g) ?? []

const failure = (
  { code, message }: NodeJS.ErrnoException,
  { authorizationError }: TLSSocket
): TlsFailed | ClientGone => {
  // For an untrusted certificate Node's code is ECONNRESET.
  if (authorizationError) return new TlsFailed({ code: String(authorizationError) })
  return code === "ECONNRESET" ? new ClientGone() : new TlsFailed({ code: code ?? message })
}

/** The subject, from Node's structure: in Node's text, a name cannot be told from the text around it. */
const subjectOf = (socket: TLSSocket): CertificateSubject => {
  const { CN = [] }: { readonly CN?: string | ReadonlyArray<string> } =
    socket.getPeerCertificate().subject ?? {}
  return {
    commonNames: typeof CN === "string" ? [CN] : CN,
    whole: socket.getPeerX509Certificate()?.subject ?? ""
  }
}
