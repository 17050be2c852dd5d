/**
 * Origins that tell how much was sent to them, for clients that upload.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import { certificate } from "./certificates.ts"
import * as Origin from "./origin.ts"

/** The bytes of an upload. */
export const megabytes = 5_000_000

/** Answers with the method and the number of bytes. */
const count = (request: IncomingMessage | Http2ServerRequest, answer: (text: string) => void): void => {
  let size = 0
  request
    .on("data", (chunk: Buffer) => {
      size += chunk.length
    })
    .on("end", () => answer(`${request.method} ${size}`))
}

/** An origin without TLS. */
export const plain = Origin.http((request: IncomingMessage, response: ServerResponse) =>
  count(request, (text) => response.end(text))
)

/** An origin with TLS, of HTTP/2 and HTTP/1.1, with its certificate for `localhost` and 127.0.0.1. */
export const secure = (directory: string) =>
  Effect.acquireRelease(
    Effect.callback<{
      readonly port: number
      readonly cert: string
      readonly certFile: string
      readonly close: () => void
    }>((resume) => {
      const { cert, key, certFile } = certificate(directory, "origin", "/CN=localhost")
      const server = createSecureServer(
        { cert, key, allowHTTP1: true },
        (request: Http2ServerRequest, response: Http2ServerResponse) =>
          count(request, (text) => response.end(text))
      )
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({ port, cert, certFile, close: () => server.close() }))
      })
    }),
    ({ close }) => Effect.sync(close)
  )
