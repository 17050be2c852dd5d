/**
 * One connection, from its first byte to its last: the phases in their order,
 * and the one place where a failure becomes a reply.
 */
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Config } from "../config/Config.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import { HandshakeTimeout, ServerFault, type SessionError } from "../Errors.ts"
import * as Client from "../network/Client.ts"
import * as Deadline from "../network/Deadline.ts"
import { reset } from "../network/Duplexes.ts"
import type { Ending } from "../network/Relay.ts"
import type { Secure } from "../network/Tls.ts"
import * as Command from "../phases/Command.ts"
import * as Detect from "../phases/Detect.ts"
import type { Peer } from "../phases/Dialect.ts"
import * as Origin from "../phases/Origin.ts"
import * as Secured from "../phases/Secure.ts"
import type { Authenticator } from "../policy/Authenticator.ts"
import { Bans, type FailedLogin } from "../policy/Bans.ts"
import type { Decision } from "../policy/Decision.ts"
import * as Reply from "../Reply.ts"
import type { Session } from "./Session.ts"
import { Sessions } from "./Sessions.ts"

/** What serving a connection takes. */
export type Services = Authenticator | Bans | Command.Services | Sessions

/**
 * Serves a connection until both sides are done with it, with TLS first where
 * `secure` does its handshake. Never fails: every failure ends here. Takes a fiber
 * of its own, which is interrupted when the session has had all that it may.
 */
export const handle = Effect.fnUntraced(
  function* (duplex: Duplex, peer: Peer, secure?: Secure) {
    const { blurFailures } = yield* Config
    const bans = yield* Bans
    yield* bans.admit(peer)
    const sessions = yield* Sessions
    const session = yield* sessions.open(peer)
    const client = yield* Client.make(duplex)
    while (true) {
      session.outcome = yield* Effect.scoped(converse(client, session, secure)).pipe(
        // A bug ends its own session, with a reply that every client takes for a failure.
        Effect.catchDefect((defect) =>
          Effect.andThen(Effect.logError("a service died", defect), new ServerFault({ defect }))
        ),
        Effect.tapErrorTag("AuthenticationFailed", (error) => bans.log(error, loginOf(session))),
        // Announced by a proxy, when the door was open already.
        Effect.tapErrorTag("Banned", () => Effect.sync(() => reset(duplex))),
        Effect.catch((error) => {
          session.told = blurFailures ? Reply.blurred(error) : error
          return Effect.as(session.conversation?.failed(session.told) ?? Effect.void, error)
        })
      )
      if (!session.conversation?.goesOn?.()) return
      yield* sessions.renew(session)
    }
  },
  Effect.scoped,
  (connection, duplex) =>
    Effect.catchTag(connection, ["Banned", "TooManyHandshakes"], () => Effect.sync(() => reset(duplex)))
)

const converse = Effect.fnUntraced(function* (
  client: Client.Client,
  session: Session,
  secure: Secure | undefined
): Effect.fn.Return<Ending, SessionError, Services | Scope.Scope> {
  const { handshakeTimeout } = yield* Config
  const sessions = yield* Sessions
  // One deadline, which no byte puts off.
  const { conversation, request } = yield* Deadline.within(
    handshake(client, session, secure),
    handshakeTimeout,
    Effect.suspend(() => new HandshakeTimeout())
  )
  yield* sessions.admit(session)
  const { succeeded } = conversation
  const granted = (decision: Decision) => sessions.allot(session, decision)
  return yield* Command.run({ client, request, known: session, granted, succeeded })
})

const handshake = Effect.fnUntraced(function* (
  client: Client.Client,
  session: Session,
  secure: Secure | undefined
) {
  session.conversation ??= yield* begin(client, session, secure)
  const { conversation } = session
  const request = yield* conversation.receive(session)
  session.request = request
  return { conversation, request }
})

/** Who it is that speaks, and how: said once on a connection. */
const begin = Effect.fnUntraced(function* (
  client: Client.Client,
  session: Session,
  secure: Secure | undefined
) {
  const sessions = yield* Sessions
  yield* sessions.attribute(session, yield* Origin.run(client, session.peer))
  if (session.peer.via) yield* (yield* Bans).admit(session.peer)
  session.trusted = yield* Origin.isTrusted(session.peer)
  if (secure) yield* Secured.run(client, session, secure)
  session.dialect = yield* Detect.run(client)
  return session.dialect.begin(client)
})

const loginOf = ({ peer, dialect }: Session): FailedLogin => ({
  client: peer.remote,
  listener: ListenAddress.format(peer.local),
  protocol: dialect?.name
})
