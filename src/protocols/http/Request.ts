/**
 * The request of a session for an HTTP request.
 */
import type * as Result from "effect/Result"
import type { HttpExchange } from "../../network/HttpExchange.ts"
import type { Request } from "../../session/States.ts"
import type * as ConnectUdp from "../../wire/ConnectUdp.ts"
import type * as Http from "../../wire/Http.ts"
import * as HttpFields from "../../wire/HttpFields.ts"

export type Destination = Result.Result.Success<ReturnType<typeof ConnectUdp.destination>>

/** A tunnel, datagrams, or a request to forward in this exchange. */
export const requestOf = (
  destination: Destination,
  head: Http.Head,
  exchange: HttpExchange | undefined
): Request => {
  const { target } = destination
  if (destination._tag === "Datagrams") return { command: "ASSOCIATE", target, isConnectUdp: true }
  return destination._tag === "Tunnel" || exchange === undefined
    ? { command: "CONNECT", target, via: HttpFields.via(head) }
    : { command: "FORWARD", target, head, path: destination.path, exchange }
}
