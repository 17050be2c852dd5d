/**
 * HTTP/2. Each stream has a request, as each request of HTTP/1, and is a session of its own.
 */
import * as Effect from "effect/Effect"
import type { Authenticator } from "../../auth/Authenticator.ts"
import type { SessionError } from "../../Errors.ts"
import type { Http2Connection } from "../../network/Http2Connection.ts"
import * as Http2Exchange from "../../network/Http2Exchange.ts"
import type { Http2Stream } from "../../network/Http2Stream.ts"
import type { HttpExchange } from "../../network/HttpExchange.ts"
import * as Reply from "../../Reply.ts"
import type { SessionLog } from "../../session/Session.ts"
import type { Accepted, Admitted } from "../../session/States.ts"
import * as ConnectUdp from "../../wire/ConnectUdp.ts"
import type * as Wire from "../../wire/Http.ts"
import * as Wire2 from "../../wire/Http2.ts"
import type { Exchange } from "../Protocol.ts"
import { authenticate } from "./Authenticate.ts"
import * as AutoConfig from "./AutoConfig.ts"
import { refusalLimit } from "./Http.ts"
import { requestOf } from "./Request.ts"

/** What the streams of a connection have in common. */
export class Logins {
  /** Whether a request was authenticated. */
  hasSucceeded = false
  private refusals = 0
  private readonly connection: Http2Connection

  constructor(connection: Http2Connection) {
    this.connection = connection
  }

  /**
   * Notes a refused request. As with HTTP/1, the connection takes no further requests after some failed logins, and after
   * a request that is none for a proxy, or beyond a limit.
   */
  refused(status: number, isAuthenticated: boolean): void {
    const staysOpen = status === 407 ? ++this.refusals < refusalLimit : isAuthenticated && status !== 429
    if (!staysOpen) this.connection.close()
  }
}

/** Begins the exchange on a stream. */
export const begin = (accepted: Accepted, log: SessionLog, stream: Http2Stream, logins: Logins): Exchange => {
  const { client, peer } = accepted
  let exchange: HttpExchange | undefined
  let isAuthenticated = false
  let isConnectUdp = false
  return {
    admit: Effect.gen(function* (): Effect.fn.Return<Admitted, SessionError, Authenticator> {
      const head = yield* Effect.fromResult(Wire2.request(stream.lines, stream.hasBody))
      const destination = yield* Effect.catchTag(
        Effect.fromResult(ConnectUdp.destination(head)),
        "NotForProxy",
        (error) => AutoConfig.answer(error, head, accepted)
      )
      isConnectUdp = destination._tag === "Datagrams"
      if (destination._tag === "Resource") {
        exchange = yield* Effect.fromResult(Http2Exchange.make(head, stream, client, log.traffic))
      }
      const identity = yield* authenticate(head.fields, accepted)
      isAuthenticated = true
      logins.hasSucceeded = true
      log.user = identity.user
      return { peer, identity, protocol: "HTTP", request: requestOf(destination, head, exchange) }
    }),
    succeeded: () =>
      Effect.sync(() => {
        log.status = 200
        stream.open(isConnectUdp ? ConnectUdp.granted : [])
      }),
    failed: (error, remote) => {
      const answer = Reply.http(error, remote)
      log.status = answer.status
      if (error._tag === "ClientGone") return Effect.void
      logins.refused(answer.status, isAuthenticated)
      stream.closeWhenSent()
      if (exchange === undefined) return write(accepted, stream, answer)
      const { hasBegun } = exchange
      return Effect.sync(() => (hasBegun ? exchange?.reset() : exchange?.answer(answer)))
    }
  }
}

/** Answers CONNECT, or what was no request. */
const write = (
  { client }: Accepted,
  stream: Http2Stream,
  { status, fields, body }: Wire.Answer
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const bytes = Buffer.from(body)
    stream.respond(status, [...fields, ["Content-Length", String(bytes.length)]])
    const isHead = stream.lines[stream.lines.indexOf(":method") + 1] === "HEAD"
    return client.reply(isHead ? undefined : bytes)
  })
