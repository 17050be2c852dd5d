/**
 * HTTP. Every request has its own credentials and target.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Authenticator } from "../../auth/Authenticator.ts"
import type { SessionError } from "../../Errors.ts"
import * as HttpConnection from "../../network/HttpConnection.ts"
import { NetworkSettings } from "../../network/Settings.ts"
import * as Reply from "../../Reply.ts"
import type { SessionLog } from "../../session/Session.ts"
import type { Accepted, Admitted } from "../../session/States.ts"
import * as ConnectUdp from "../../wire/ConnectUdp.ts"
import * as Wire from "../../wire/Http.ts"
import type { Exchange, Protocol } from "../Protocol.ts"
import { authenticate } from "./Authenticate.ts"
import * as AutoConfig from "./AutoConfig.ts"
import { requestOf } from "./Request.ts"

export const Http: Protocol = {
  name: "HTTP",
  begin: (accepted, log) =>
    Effect.gen(function* () {
      const { idleTimeout } = yield* NetworkSettings
      const seconds = Duration.isFinite(idleTimeout) ? Math.floor(Duration.toSeconds(idleTimeout)) : undefined
      return exchangeOf(accepted, log, yield* HttpConnection.make(accepted.client, seconds || undefined))
    })
}

const exchangeOf = (
  accepted: Accepted,
  log: SessionLog,
  requests: HttpConnection.HttpConnection
): Exchange => {
  const { client, peer } = accepted
  let count = 0
  let refusals = 0
  let isAuthenticated = false
  let isConnectUdp = false
  return {
    admit: Effect.gen(function* (): Effect.fn.Return<Admitted, SessionError, Authenticator> {
      isAuthenticated = false
      const { head, exchange } = yield* requests.next(log.traffic, client.late)
      // A later session begins with its request, and not with the wait for the request.
      if (count++ > 0) log.startedAt = yield* Clock.currentTimeMillis
      const destination = yield* Effect.catchTag(
        Effect.fromResult(ConnectUdp.destination(head)),
        "NotForProxy",
        (error) => AutoConfig.answer(error, head, accepted)
      )
      isConnectUdp = destination._tag === "Datagrams"
      const identity = accepted.certified ?? (yield* authenticate(head.fields, accepted))
      isAuthenticated = true
      log.user = identity.user
      return { peer, identity, protocol: "HTTP", request: requestOf(destination, head, exchange) }
    }),
    succeeded: () =>
      Effect.suspend(() => {
        log.status = isConnectUdp ? 101 : 200
        return client.reply(isConnectUdp ? ConnectUdp.switching : Wire.established)
      }),
    failed: (error, remote) => {
      const answer = Reply.http(error, remote)
      log.status = answer.status
      // Between two requests a connection ends without a response.
      if (error._tag === "ClientGone" || (error._tag === "HandshakeTimeout" && count > 0)) return Effect.void
      // After a failed login a few more requests may follow, as clients try one scheme or password after another. The connection closes after a request that is none for a
      // proxy, and after a request beyond a limit: the next request then needs a new connection, whose number is
      // limited.
      const staysOpen =
        answer.status === 407 ? ++refusals < refusalLimit : isAuthenticated && answer.status !== 429
      return requests.answer(answer, staysOpen)
    },
    // Without a login, a request has to come as soon as the first one.
    awaitNext: (expired) => (isAuthenticated ? requests.awaitRequest(expired) : Effect.void),
    hasNext: () => requests.hasNext()
  }
}

/** The number of failed logins that ends a connection. */
export const refusalLimit = 5
