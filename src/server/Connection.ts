/**
 * One connection, from its first byte to its last: the phases in their order,
 * and the one place where a failure becomes a reply.
 */
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Config } from "../config/Config.ts"
import { HandshakeTimeout, ServerFault, type SessionError } from "../Errors.ts"
import * as Client from "../network/Client.ts"
import type { Dialer } from "../network/Dialer.ts"
import { reset } from "../network/Duplexes.ts"
import type { Relay } from "../network/Relay.ts"
import type { Resolver } from "../network/Resolver.ts"
import * as Authenticate from "../phases/Authenticate.ts"
import * as Connect from "../phases/Connect.ts"
import * as Negotiate from "../phases/Negotiate.ts"
import * as Request from "../phases/Request.ts"
import type { Authenticator } from "../policy/Authenticator.ts"
import * as Reply from "../Reply.ts"
import { type Peer, type Session, Sessions } from "./Sessions.ts"

/** What serving a connection takes. */
export type Services = Config | Authenticator | Resolver | Dialer | Relay | Sessions

/** Serves a connection until both sides are done with it. Never fails: every failure ends here. */
export const handle = Effect.fnUntraced(
  function* (duplex: Duplex, peer: Peer) {
    const sessions = yield* Sessions
    const session = yield* sessions.open(peer)
    const client = yield* Client.make(duplex)
    yield* Effect.catch(converse(client, session), (error) => {
      session.outcome = error
      return client.reply(Reply.failed(error))
    })
  },
  Effect.scoped,
  (connection, duplex) =>
    Effect.catchTag(connection, "TooManyHandshakes", () => Effect.sync(() => reset(duplex)))
)

const converse = Effect.fnUntraced(function* (
  client: Client.Client,
  session: Session
): Effect.fn.Return<void, SessionError, Services | Scope.Scope> {
  const { handshakeTimeout } = yield* Config
  const sessions = yield* Sessions
  const request = yield* Effect.timeoutOrElse(handshake(client, session), {
    duration: handshakeTimeout,
    orElse: () => Effect.fail(new HandshakeTimeout())
  })
  yield* sessions.admit(session)
  const outgoing = yield* Connect.open(client, request.target).pipe(
    Effect.catchDefect((defect) => Effect.fail(new ServerFault({ defect })))
  )
  session.address = outgoing.remote
  yield* client.reply(Reply.succeeded(outgoing.local))
  session.outcome = yield* Connect.relay(client, outgoing, session.traffic)
})

/** What has to be over before the one deadline that no byte puts off. */
const handshake = Effect.fnUntraced(function* (client: Client.Client, session: Session) {
  const negotiated = yield* Negotiate.run(client)
  const authenticated = yield* Authenticate.run(negotiated)
  session.identity = authenticated.identity
  const request = yield* Request.read(authenticated)
  session.request = request
  return request
})
