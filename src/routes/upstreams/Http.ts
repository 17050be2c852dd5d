/**
 * Upstreams that speak HTTP: CONNECT makes a tunnel (RFC 9110 §9.3.6).
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import {
  ConnectFailed,
  ConnectionRefused,
  ConnectTimeout,
  type DialError,
  HostUnreachable,
  LoopDetected,
  NotAllowed,
  UpstreamFailed,
  UpstreamLoginFailed
} from "../../Errors.ts"
import type { Decoder } from "../../wire/Decoder.ts"
import { isIncomplete } from "../../wire/Decoder.ts"
import * as HttpConnect from "../../wire/HttpConnect.ts"
import * as HttpHead from "../../wire/HttpHead.ts"
import type { Read } from "../Conversation.ts"
import type { Kind } from "./Kind.ts"

export const kind: Kind = {
  connect: Effect.fnUntraced(function* (conversation, { target, credentials, via }) {
    const { upstream } = conversation
    yield* conversation.send(HttpConnect.request(target, credentials, via))
    yield* conversation.defer((read) => responded(read, upstream))
  })
}

const head: Decoder<HttpHead.ResponseHead, string> = (bytes) =>
  Result.mapError(HttpHead.response(bytes), (error) => (isIncomplete(error) ? error : error.reason))

/** The most interim responses (1xx) before the response. */
const interimLimit = 16

const responded = Effect.fnUntraced(function* (
  read: Read,
  upstream: string
): Effect.fn.Return<void, DialError> {
  for (let interims = 0; interims <= interimLimit; interims++) {
    const response = yield* read(head)
    // The bytes behind a success are the target's, whatever fields the response has.
    if (response.status >= 200 && response.status < 300) return
    if (response.status >= 200) return yield* failure(response, upstream)
  }
  return yield* new UpstreamFailed({ upstream, reason: "too many interim responses" })
})

/** The error of which the response tells: by its Proxy-Status (RFC 9209), or by its status. */
const failure = ({ status, fields }: HttpHead.ResponseHead, upstream: string): DialError => {
  if (status === 407) {
    return new UpstreamLoginFailed({ upstream, reason: "it wants other credentials (status 407)" })
  }
  const told = byType[HttpConnect.errorType(fields) ?? ""] ?? byStatus[status]
  if (told) return told()
  return status >= 500
    ? new ConnectFailed({ code: `status ${status} of the upstream` })
    : new UpstreamFailed({ upstream, reason: `it answers CONNECT with status ${status}` })
}

const denied = () => new NotAllowed({ reason: "the upstream does not allow it" })

/** RFC 9209 §2.3. */
const byType: Readonly<Record<string, () => DialError>> = {
  connection_refused: () => new ConnectionRefused(),
  connection_timeout: () => new ConnectTimeout(),
  dns_timeout: () => new ConnectTimeout(),
  dns_error: () => new HostUnreachable(),
  destination_not_found: () => new HostUnreachable(),
  destination_ip_unroutable: () => new HostUnreachable(),
  destination_ip_prohibited: denied,
  http_request_denied: denied,
  proxy_loop_detected: () => new LoopDetected()
}

const byStatus: Readonly<Record<number, () => DialError>> = {
  403: denied,
  451: denied,
  504: () => new ConnectTimeout()
}
