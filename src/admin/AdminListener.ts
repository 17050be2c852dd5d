/**
 * The listener of the admin API: HTTP on loopback, on a Unix-domain socket, or with TLS. What it does before a request
 * has shown the token is bounded: in size, in number and in time.
 */
import { X509Certificate } from "node:crypto"
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { Server as NetServer } from "node:net"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Host from "effect/net/Host"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as LineBudget from "../base/LineBudget.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import { ListenFailed } from "../Errors.ts"
import type { Pair } from "../network/SelfSigned.ts"
import * as UnixSocket from "../server/UnixSocket.ts"
import * as Assets from "./Assets.ts"
import * as RequestGuard from "./RequestGuard.ts"
import type { AdminAddress } from "./Settings.ts"
import * as UnprovenConnections from "./UnprovenConnections.ts"

export interface Options {
  readonly at: AdminAddress
  readonly token: Redacted.Redacted
  /** The certificate and its key (PEM), for TLS. */
  readonly tls: Pair | undefined
  /** The files of the dashboard. */
  readonly assets: Assets.Assets
}

type Server = ReturnType<typeof createServer>

/** The most connections at a time: 50 dashboards have two each. */
const mostConnections = 256

/** Milliseconds. */
const limits = {
  headersTimeout: 5000,
  requestTimeout: 15_000,
  connectionsCheckingInterval: 1000,
  keepAliveTimeout: 15_000,
  /** Of a connection on which nothing moves, such as a stream that is not read. Streams have a sign of life in 15 s. */
  silence: 45_000,
  /** That requests have to end when the listener closes. */
  grace: 250
}

/** Paths that need no token, and tell nothing. */
const openPaths: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/openapi.json"])

export interface Listening {
  readonly address: AdminAddress
  /** Uses this certificate from now on, if the listener has TLS. Returns false for a listener without TLS. */
  readonly renew: (tls: Pair) => boolean
}

/** Listens until the scope closes. Then open requests have a moment to end, and streams none. */
export const listen = Effect.fnUntraced(function* (
  { at, token, tls, assets }: Options,
  handle: RequestListener
): Effect.fn.Return<Listening, ListenFailed, Scope.Scope> {
  const note = yield* noting
  const isToken = RequestGuard.sameAs(Redacted.value(token))
  const isAllowed = (given: string | undefined) => {
    const bearer = RequestGuard.bearerOf(given)
    return bearer !== undefined && isToken(bearer)
  }
  let isOwnName = ownNames(tls?.cert)
  const unproven = UnprovenConnections.make()
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    for (const [name, value] of headers) response.setHeader(name, value)
    const refusal = RequestGuard.check(request, (name) => isOwnName(name))
    if (refusal !== undefined) {
      note(refusal.reason, request)
      // What follows on the connection is not read.
      response.setHeader("connection", "close")
      return answer(response, refusal.status, { _tag: "Refused", message: refusal.reason })
    }
    const [path = ""] = (request.url ?? "").split("?", 1)
    if (Assets.answer(assets, path, request, response)) return
    if (isAllowed(request.headers.authorization)) unproven.prove(request.socket)
    else if (!openPaths.has(path)) {
      if (request.headers.authorization !== undefined) note("the token is wrong", request)
      response.setHeader("www-authenticate", 'Bearer realm="effect-socks"')
      return answer(response, 401, {
        _tag: "Unauthorized",
        message: "this needs the field Authorization: Bearer TOKEN"
      })
    }
    handle(request, response)
  }
  const options = { maxHeaderSize: 16_384, ...limits }
  const secure = tls && createTlsServer({ ...options, ...secureOptions(tls) }, onRequest)
  const server: Server = secure === undefined ? createServer(options, onRequest) : (secure as Server)
  server.maxConnections = mostConnections
  server.setTimeout(limits.silence)
  // Before the handshake of TLS, too.
  server.on("connection", (socket) => {
    unproven.add(socket)
    socket.setTimeout(limits.silence, () => socket.destroy())
  })
  server.on("tlsClientError", (_, socket) => socket.destroy())
  server.on("clientError", (_, socket) => socket.destroy())
  yield* Effect.acquireRelease(bind(server, at), () => close(server))
  const bound = server.address()
  return {
    address:
      at._tag === "HostPort" && typeof bound === "object" && bound !== null
        ? Host.hostPortUnsafe(at.host, bound.port)
        : at,
    renew: (pair) => {
      if (secure === undefined) return false
      secure.setSecureContext(secureOptions(pair))
      isOwnName = ownNames(pair.cert)
      return true
    }
  }
})

const secureOptions = ({ cert, key }: Pair) => ({
  cert,
  key,
  minVersion: "TLSv1.2" as const,
  handshakeTimeout: 5000
})

/** Fields of every answer. The dashboard has a content security policy of its own. */
const headers = [
  ["cache-control", "no-store"],
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
  ["cross-origin-opener-policy", "same-origin"],
  ["cross-origin-resource-policy", "same-origin"],
  ["referrer-policy", "no-referrer"],
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"]
] as const

const answer = (response: ServerResponse, status: number, body: object): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}

const bind = Effect.fnUntraced(function* (
  server: NetServer,
  at: AdminAddress
): Effect.fn.Return<void, ListenFailed> {
  const failed = (code: string) => new ListenFailed({ address: ListenAddress.format(at), code })
  if (at._tag === "UnixPathAddress") yield* Effect.mapError(UnixSocket.clear(at.path), failed)
  yield* Effect.callback<void, ListenFailed>((resume) => {
    const onError = (error: NodeJS.ErrnoException) => resume(Effect.fail(failed(error.code ?? error.message)))
    server.once("error", onError)
    const onListening = () => {
      server.off("error", onError)
      // A failed accept is no reason to end the process.
      server.on("error", () => {})
      resume(Effect.void)
    }
    if (at._tag === "UnixPathAddress") {
      UnixSocket.withMode(0o600, () => server.listen(at.path, onListening))
    } else server.listen(at.port, Host.formatHost(at.host), onListening)
  })
})

const close = (server: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const timer = setTimeout(() => server.closeAllConnections(), limits.grace)
    server.close(() => {
      clearTimeout(timer)
      resume(Effect.void)
    })
    server.closeIdleConnections()
  })

/** The names that the certificate is for: no browser takes the certificate under another name. */
const ownNames = (cert: string | undefined): ((name: string) => boolean) => {
  if (cert === undefined) return () => false
  const certificate = new X509Certificate(cert)
  return (name) => certificate.checkHost(name) !== undefined
}

/** Logs refused requests, at most so many. */
const noting = Effect.gen(function* () {
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const clock = yield* Clock.Clock
  const budget = LineBudget.make({ each: 5, all: 20 })
  return (reason: string, { socket, method }: IncomingMessage) => {
    const by = socket.remoteAddress ?? "unix"
    const { isShown, leftOut } = budget.note(by, clock.currentTimeMillisUnsafe())
    if (isShown) fork(Effect.logWarning("admin: a request is refused", { reason, method, by, leftOut }))
  }
})
