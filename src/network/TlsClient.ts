/**
 * The client's side of TLS, on connections that lead to an upstream. The certificate of the other side is always
 * verified.
 */
import { X509Certificate } from "node:crypto"
import { readFile } from "node:fs/promises"
import { isIP } from "node:net"
import { connect, createSecureContext, type SecureContext } from "node:tls"
import * as Effect from "effect/Effect"
import * as NodeTransport from "./NodeTransport.ts"
import type { Transport } from "./Transport.ts"

/** Paths of PEM files. */
export interface Files {
  /** The authority to trust, in place of those of Node. */
  readonly ca?: string
  /** The certificate of this client, followed by its chain. */
  readonly cert?: string
  /** The private key of that certificate. */
  readonly key?: string
}

/** Does the handshake with the host of this name or address. Fails with the reason. */
export type Secure = (plain: Transport, unread: Uint8Array, host: string) => Effect.Effect<Transport, string>

/** Reads the files. Fails with a file, and with what it should be. */
export const load = (
  files: Files
): Effect.Effect<Secure, { readonly file: string; readonly expected: string }> =>
  Effect.map(context(files), secureWith)

/** What Node needs of the files for a client's TLS. */
export const context = Effect.fnUntraced(function* (
  files: Files
): Effect.fn.Return<SecureContext, { readonly file: string; readonly expected: string }> {
  const pem = (file: string | undefined) =>
    file === undefined
      ? Effect.undefined
      : Effect.tryPromise({
          try: () => readFile(file, "utf8"),
          catch: (error) => ({
            file,
            expected: `a file that can be read (${(error as NodeJS.ErrnoException).code})`
          })
        })
  const { ca: caFile, cert: certFile, key: keyFile } = files
  const [ca, cert, key] = [yield* pem(caFile), yield* pem(certFile), yield* pem(keyFile)]
  for (const [text, file] of [
    [ca, caFile],
    [cert, certFile]
  ]) {
    if (text === undefined) continue
    yield* Effect.try({
      try: () => new X509Certificate(text),
      catch: () => ({ file: String(file), expected: "a PEM certificate" })
    })
  }
  return yield* Effect.try({
    try: () => createSecureContext({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }),
    catch: () => ({ file: String(keyFile), expected: "the PEM key of the certificate beside it" })
  })
})

const secureWith =
  (secureContext: SecureContext): Secure =>
  (plain, unread, host) =>
    Effect.callback((resume) => {
      const socket = connect({
        socket: plain.handOver(unread),
        secureContext,
        host,
        ...checksOf(host)
      })
      const failed = (error: NodeJS.ErrnoException) =>
        resume(
          Effect.fail(
            error.code === "ECONNRESET" ? "it closed its connection in the TLS handshake" : reasonOf(error)
          )
        )
      socket.once("error", failed)
      socket.once("secureConnect", () => {
        socket.off("error", failed)
        resume(Effect.succeed(NodeTransport.make(socket, { carrier: plain })))
      })
      return Effect.sync(() => {
        socket.destroy()
      })
    })

/** How the host of this name or address is checked. */
export const checksOf = (host: string) => ({
  // A server name is never an address (RFC 6066 §3).
  ...(isIP(host) === 0 && { servername: host }),
  minVersion: "TLSv1.2" as const,
  // Also where NODE_TLS_REJECT_UNAUTHORIZED says otherwise.
  rejectUnauthorized: true
})

const reasonOf = ({ code, message }: NodeJS.ErrnoException): string =>
  code === undefined ? message : `TLS: ${code}`
