/**
 * The HTTP client of the program's own requests. Node loads the code of `fetch` with the first request: 150 ms of CPU, in the
 * middle of sessions.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Layer from "effect/Layer"

export const layer: Layer.Layer<HttpClient.HttpClient> = NodeHttpClient.layerNodeHttp
