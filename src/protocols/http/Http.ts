/**
 * HTTP. Every request has its own credentials and target.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
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
import { type Destination, requestOf } from "./Request.ts"

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
  const readAuthority = Wire.remembering()
  let count = 0
  let refusals = 0
  let isAuthenticated = false
  let isConnectUdp = false
  const admitted = ({ head, exchange }: HttpConnection.Incoming) =>
    Effect.clockWith((clock) => {
      // A later session begins with its request, and not with the wait for the request.
      if (count++ > 0) log.startedAt = clock.currentTimeMillisUnsafe()
      return Effect.flatMap(destinationOf(head, readAuthority, accepted), (destination) => {
        isConnectUdp = destination._tag === "Datagrams"
        return Effect.map(authenticate(head.fields, accepted), (identity): Admitted => {
          isAuthenticated = true
          log.user = identity.user
          return { peer, identity, protocol: "HTTP", request: requestOf(destination, head, exchange) }
        })
      })
    })
  return {
    admit: Effect.suspend(() => {
      isAuthenticated = false
      return Effect.flatMap(requests.next(log.traffic, client.late), admitted)
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

const destinationOf = (
  head: Wire.Head,
  read: Wire.ReadAuthority,
  accepted: Accepted
): Effect.Effect<Destination, SessionError> => {
  const destination = ConnectUdp.destination(head, read)
  if (Result.isSuccess(destination)) return Effect.succeed(destination.success)
  const error = destination.failure
  return error._tag === "NotForProxy" ? AutoConfig.answer(error, head, accepted) : Effect.fail(error)
}

/** The number of failed logins that ends a connection. */
export const refusalLimit = 5
