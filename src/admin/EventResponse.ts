/**
 * The answer to a request that follows events: it is written by the hub, and ends when either side closes.
 */
import type { ServerResponse } from "node:http"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Scope from "effect/Scope"
import type { TooManyStreams } from "./Api.ts"
import type { EventHub, Subject } from "./EventHub.ts"

/** Follows the events of a subject until the reader is gone. */
export const follow = Effect.fnUntraced(function* (
  hub: EventHub,
  subject: Subject,
  type: string
): Effect.fn.Return<HttpServerResponse.HttpServerResponse, TooManyStreams, HttpServerRequest | Scope.Scope> {
  const response = NodeHttpServerRequest.toServerResponse(yield* HttpServerRequest) as ServerResponse
  yield* hub.follow(subject, {
    write: (bytes) => {
      // The head goes out with the first bytes.
      if (!response.headersSent) {
        response.writeHead(200, {
          "content-type": type,
          "cache-control": "no-store",
          "x-accel-buffering": "no"
        })
      }
      response.write(bytes)
    },
    waiting: () => response.writableLength,
    close: () => response.destroy()
  })
  yield* Effect.addFinalizer(() => Effect.sync(() => response.destroy()))
  yield* Effect.callback<void>((resume) => {
    const done = () => resume(Effect.void)
    if (response.destroyed) done()
    else response.once("close", done)
    return Effect.sync(() => response.off("close", done))
  })
  return HttpServerResponse.empty()
})
