/**
 * A typed client of the admin API, over its socket, or over TCP with or without TLS.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as Layer from "effect/Layer"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { AdminApi, Bearer } from "./Api.ts"
import type { AdminAddress } from "./Settings.ts"

export type Client = HttpApiClient.ForApi<typeof AdminApi>

export interface Options {
  readonly at: AdminAddress
  readonly token: Redacted.Redacted
  /** The certificate (PEM) that the server has; undefined for a server without TLS. */
  readonly cert: string | undefined
}

/** A client, whose connections are closed with the scope. */
export const make = ({ at, token, cert }: Options): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.gen(function* () {
    const connecting = NodeHttpClient.layerNodeHttpOptions({
      ...(at._tag === "UnixPathAddress" && { socketPath: at.path }),
      // The server's own certificate is trusted, whoever has signed it.
      ...(cert !== undefined && { ca: cert })
    })
    const withToken = HttpApiMiddleware.layerClient(Bearer, ({ next, request }) =>
      next(HttpClientRequest.bearerToken(request, token))
    )
    const services = yield* Layer.build(Layer.merge(withToken, connecting))
    return yield* HttpApiClient.make(AdminApi, {
      transformClient: HttpClient.mapRequest(HttpClientRequest.prependUrl(baseOf(at, cert !== undefined)))
    }).pipe(Effect.provideContext(services))
  })

const baseOf = (at: AdminAddress, isTls: boolean): string => {
  if (at._tag === "UnixPathAddress") return "http://localhost"
  const isAny = NetAddress.isIpAddress(at.host) && NetAddress.isUnspecified(at.host)
  const host = isAny ? "localhost" : Host.formatHost(at.host)
  return `${isTls ? "https" : "http"}://${NetAddress.formatUrlHostString(host)}:${at.port}`
}
