/**
 * One connection, from its first byte to its last: the phases in their order,
 * and the one place where a failure becomes a reply.
 *
 * Each connection passes here, and while bytes are relayed its fiber stands here:
 * so there is one fiber, and it holds no more than it needs to go on.
 */
import type { Duplex } from "node:stream"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Authenticator } from "../auth/Authenticator.ts"
import { Bans, type FailedLogin } from "../bans/Bans.ts"
import * as Command from "../commands/Command.ts"
import { Config, type Values } from "../config/Config.ts"
import { ServerFault, type SessionError } from "../Errors.ts"
import * as Client from "../network/Client.ts"
import { listenerOf, type Peer } from "../network/Peer.ts"
import type { Ending, Traffic } from "../network/Relay.ts"
import { reset } from "../network/Streams.ts"
import type { Secure } from "../network/Tls.ts"
import type { Decision } from "../policy/Decision.ts"
import * as Detect from "../protocols/Detect.ts"
import * as ProxyProtocol from "../protocols/ProxyProtocol.ts"
import * as Secured from "../protocols/TlsHandshake.ts"
import * as Reply from "../Reply.ts"
import type { Session } from "../session/Session.ts"
import { Sessions } from "../session/Sessions.ts"

/** What serving a connection takes. */
export type Services = Authenticator | Bans | Command.Services | Sessions

/** A connection that was taken on, and what is asked at every turn. */
interface Connection {
  readonly duplex: Duplex
  readonly client: Client.Client
  readonly session: Session
  /** Does the handshake of TLS, where there is one to come. */
  readonly secure: Secure | undefined
  readonly config: Values
  readonly bans: Bans["Service"]
  readonly sessions: Sessions["Service"]
}

/**
 * Serves a connection until both sides are done with it, with TLS first where
 * `secure` does its handshake. Never fails: every failure ends here. Takes a fiber
 * of its own, which is interrupted when the session has had all that it may.
 */
export const handle = (duplex: Duplex, peer: Peer, secure?: Secure): Effect.Effect<void, never, Services> =>
  Effect.contextWith((services: Context.Context<Services>) => {
    const config = Context.get(services, Config)
    const bans = Context.get(services, Bans)
    const sessions = Context.get(services, Sessions)
    const taken = () =>
      Effect.match(Effect.andThen(bans.admit(peer), sessions.open(peer)), {
        onSuccess: (session): Connection => {
          const client = Client.make(duplex)
          return { duplex, client, session, secure, config, bans, sessions }
        },
        // Banned, or one too many.
        onFailure: () => {
          reset(duplex)
          return undefined
        }
      })
    // Suspended, as what it was acquired with is held until the release.
    return Effect.acquireUseRelease(Effect.suspend(taken), use, release)
  })

const use = (connection: Connection | undefined): Effect.Effect<void, never, Services> =>
  connection ? serve(connection) : Effect.void

const release = (connection: Connection | undefined, exit: Exit.Exit<void>): Effect.Effect<void> =>
  connection
    ? Effect.andThen(connection.client.close(exit), connection.sessions.close(connection.session))
    : Effect.void

/** One session after the other, as long as the conversation goes on. */
const serve = (connection: Connection): Effect.Effect<void, never, Services> =>
  Effect.matchCauseEffect(
    // What this makes of itself is held until its end.
    Effect.suspend(() => converse(connection)),
    {
      onSuccess: (ending) => {
        connection.session.outcome = ending
        return goOn(connection)
      },
      onFailure: (cause) => Effect.andThen(fail(connection, cause), goOn(connection))
    }
  )

const goOn = (connection: Connection): Effect.Effect<void, never, Services> =>
  Effect.suspend(() => {
    const { session, sessions } = connection
    return session.exchange?.hasNext?.()
      ? Effect.andThen(sessions.renew(session), serve(connection))
      : Effect.void
  })

/** Tells the client, as far as it is for the client to know. */
const fail = Effect.fnUntraced(function* (
  { duplex, session, config, bans }: Connection,
  cause: Cause.Cause<SessionError>
) {
  const error = yield* errorOf(cause)
  session.outcome = error
  if (error._tag === "AuthenticationFailed") yield* bans.log(error, loginOf(session))
  // Announced by a proxy, when the door was open already.
  if (error._tag === "Banned") reset(duplex)
  session.reportedError = config.blurFailures ? Reply.masked(error) : error
  yield* session.exchange?.failed(session.reportedError) ?? Effect.void
})

/** A bug ends its own session, with a reply that every client takes for a failure. An interrupt stays one. */
const errorOf = (cause: Cause.Cause<SessionError>): Effect.Effect<SessionError> => {
  if (Cause.hasInterrupts(cause)) return Effect.failCause(cause as Cause.Cause<never>)
  const failure = Cause.findError(cause)
  if (Result.isSuccess(failure)) return Effect.succeed(failure.success)
  const defect = Cause.squash(cause)
  return Effect.as(Effect.logError("a service died", defect), new ServerFault({ defect }))
}

const converse = (connection: Connection): Effect.Effect<Ending, SessionError, Services> => {
  const { client, session, config, sessions } = connection
  return client
    .withDeadline(handshake(connection), config.handshakeTimeout)
    .pipe(
      Effect.andThen(Effect.suspend(() => sessions.admit(session))),
      Effect.andThen(Effect.scoped(Effect.suspend(() => carryOut(connection))))
    )
}

const carryOut = ({
  client,
  session,
  sessions
}: Connection): Effect.Effect<Ending, SessionError, Services | Scope.Scope> => {
  const { succeeded } = session.exchange!
  const enter = (decision: Decision, traffic?: Traffic) => sessions.chargeRule(session, decision, traffic)
  return Command.run({ client, request: session.request!, known: session, enter, succeeded })
}

const handshake = Effect.fnUntraced(function* (
  connection: Connection
): Effect.fn.Return<void, SessionError, Services> {
  const { session } = connection
  session.exchange ??= yield* begin(connection)
  session.request = yield* session.exchange.receive(session)
})

/** Who it is that speaks, and how: said once on a connection. */
const begin = Effect.fnUntraced(function* ({ client, session, secure, bans, sessions }: Connection) {
  yield* sessions.attribute(session, yield* ProxyProtocol.run(client, session.peer))
  if (session.peer.via) yield* bans.admit(session.peer)
  session.trusted = yield* ProxyProtocol.isTrusted(session.peer)
  if (secure) yield* Secured.run(client, session, secure)
  session.protocol = yield* Detect.run(client)
  return session.protocol.begin(client)
})

const loginOf = ({ peer, protocol }: Session): FailedLogin => ({
  client: peer.remote,
  listener: listenerOf(peer),
  protocol: protocol?.name
})
