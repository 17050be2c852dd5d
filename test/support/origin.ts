/**
 * What clients ask for: web servers on loopback, with and without TLS.
 */
import { readFile } from "node:fs/promises"
import { createServer, type RequestListener } from "node:http"
import * as Https from "node:https"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Processes from "./processes.ts"
import * as Temporary from "./temporary.ts"

export interface Origin {
  readonly port: number
  /** Without a path. */
  readonly url: string
  /** The paths asked for so far. */
  readonly seen: ReadonlyArray<string>
  /** Waits until a path is asked for, and fails the test if that takes too long. */
  readonly asked: (path: string) => Effect.Effect<void>
}

export const page = "<!doctype html><title>page</title><p>it works</p>"

const answer: RequestListener = (_, response) => {
  response.setHeader("content-type", "text/html").end(page)
}

/** Answers with the `page`, unless told otherwise. */
export const http = (listener = answer, host = "127.0.0.1"): Effect.Effect<Origin, never, Scope.Scope> =>
  Effect.suspend(() => serve(createServer(), "http", host, listener))

/** The same with TLS, and the file with its certificate, which names `localhost` and both loopback addresses. */
export const https = Effect.fnUntraced(function* (
  host = "127.0.0.1"
): Effect.fn.Return<Origin & { readonly certificate: string }, never, Scope.Scope> {
  const directory = yield* Temporary.directory
  const [key, certificate] = [join(directory, "key.pem"), join(directory, "cert.pem")]
  const names = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"
  const { code, stderr } = yield* Processes.run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"],
    ...["-subj", "/CN=localhost", "-addext", names, "-keyout", key, "-out", certificate]
  ])
  if (code !== 0) return yield* Effect.die(new Error(stderr))
  const [keyText, certificateText] = yield* Effect.promise(() =>
    Promise.all([readFile(key), readFile(certificate)])
  )
  const server = Https.createServer({ key: keyText, cert: certificateText })
  return { ...(yield* serve(server, "https", host, answer)), certificate }
})

const serve = Effect.fnUntraced(function* (
  server: ReturnType<typeof createServer> | Https.Server,
  scheme: string,
  host: string,
  listener: RequestListener
): Effect.fn.Return<Origin, never, Scope.Scope> {
  const seen: Array<string> = []
  server.on("request", (request, response) => {
    seen.push(request.url ?? "")
    listener(request, response)
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => {
      server.listen(0, host, () => resume(Effect.void))
    }),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
  const asked = (path: string) =>
    Effect.callback<void>((resume) => {
      const check = () => {
        if (seen.includes(path)) resume(Effect.void)
      }
      server.on("request", check)
      check()
      return Effect.sync(() => server.off("request", check))
    }).pipe(
      Effect.timeoutOrElse({
        duration: "45 seconds",
        orElse: () => Effect.die(new Error(`asked for ${seen.join(", ") || "nothing"}, not for ${path}`))
      })
    )
  const { port } = server.address() as AddressInfo
  return { port, url: `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`, seen, asked }
})

/** A port where nothing listens, for the moment. */
export const freePort: Effect.Effect<number> = Effect.map(Effect.scoped(http()), ({ port }) => port)
