/**
 * The HTTP client of the program's own requests. Node loads the code of `fetch` with the first request: 150 ms of CPU, in the
 * middle of sessions.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as Layer from "effect/Layer"

/** Fails a request whose response is not there as a whole within this time: Node waits for it without end. */
export const layer = (longest: Duration.Duration): Layer.Layer<HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.map(
      HttpClient.HttpClient,
      HttpClient.transform((response, request) =>
        Effect.timeoutOrElse(
          Effect.tap(response, ({ arrayBuffer }) => arrayBuffer),
          {
            duration: longest,
            orElse: () => {
              const reason = new HttpClientError.TransportError({ request, description: "no answer in time" })
              return Effect.fail(new HttpClientError.HttpClientError({ reason }))
            }
          }
        )
      )
    )
  ).pipe(Layer.provide(NodeHttpClient.layerNodeHttp))
