/**
 * HTTP: every request says anew who the client is and what it wants.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Authenticator } from "../../auth/Authenticator.ts"
import { anonymous, type Identity } from "../../auth/Identity.ts"
import { MalformedCredentials, NoAcceptableMethod, NotAllowed, type VerificationError } from "../../Errors.ts"
import * as HttpConnection from "../../network/HttpConnection.ts"
import * as Reply from "../../Reply.ts"
import type { Exchange, Known, Protocol } from "../../session/Protocol.ts"
import * as Wire from "../../wire/Http.ts"
import { Method } from "../../wire/Socks5.ts"

export const Http: Protocol = {
  name: "HTTP",
  begin: (client): Exchange => {
    const requests = HttpConnection.make(client)
    let count = 0
    let refusals = 0
    let current: Known | undefined
    return {
      receive: Effect.fnUntraced(function* (known) {
        current = known
        const { head, exchange } = yield* client.beforeDeadline(requests.next(known.traffic))
        // A session does not begin with the wait for it.
        if (count++ > 0) known.startedAt = yield* Clock.currentTimeMillis
        const destination = yield* Effect.fromResult(Wire.destination(head))
        known.identity = known.certified ?? (yield* client.beforeDeadline(authenticate(head.fields, known)))
        const { target } = destination
        return destination._tag === "Tunnel" || exchange === undefined
          ? { command: "CONNECT", target }
          : { command: "FORWARD", target, head, path: destination.path, exchange }
      }),
      succeeded: () =>
        Effect.suspend(() => {
          if (current) current.status = 200
          return client.reply(Wire.established)
        }),
      failed: (error) => {
        const answer = Reply.http(error)
        if (current) current.status = answer.status
        // Nothing was asked: between two requests a connection ends in silence.
        if (error._tag === "ClientGone" || (error._tag === "HandshakeTimeout" && count > 0))
          return Effect.void
        // Who has not said who he is gets one request more to do so; what was no
        // request for a proxy at all gets none.
        const staysOpen = answer.status === 407 ? ++refusals < 2 : current?.identity !== undefined
        return requests.answer(answer, staysOpen)
      },
      hasNext: requests.hasNext
    }
  }
}

/** Who the client is, if anyone asks (RFC 9110 §11.7). */
const authenticate = Effect.fnUntraced(function* (
  fields: Wire.Fields,
  { peer, trusted }: Known
): Effect.fn.Return<
  Identity,
  MalformedCredentials | VerificationError | NoAcceptableMethod | NotAllowed,
  Authenticator
> {
  const { methods, verify } = yield* Authenticator
  const [credentials, ...others] = Wire.values(fields, "proxy-authorization")
  if (others.length > 0) return yield* new MalformedCredentials({ reason: "more than one of them" })
  if (credentials !== undefined && methods.includes(Method.UsernamePassword)) {
    return yield* verify(yield* Effect.fromResult(Wire.basic(credentials)), peer.remote)
  }
  if (trusted || methods.includes(Method.NoAuthentication)) return anonymous
  // To ask for a password would be no use.
  if (methods.length === 0) return yield* new NotAllowed({ reason: "the client's network is not trusted" })
  return yield* new NoAcceptableMethod({ offered: [] })
})
