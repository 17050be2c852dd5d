/**
 * One connection, from its first byte to its last: the phases in their order,
 * and the one place where a failure becomes a reply.
 *
 * Each connection passes here, and while bytes are relayed its fiber stands here:
 * so there is one fiber, and it holds no more than it needs to go on.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Authenticator } from "../auth/Authenticator.ts"
import type { AuthSettings } from "../auth/Settings.ts"
import { Bans, type FailedLogin } from "../bans/Bans.ts"
import type { BanSettings } from "../bans/Settings.ts"
import * as Command from "../commands/Command.ts"
import type { CommandContext } from "../commands/CommandContext.ts"
import { ServerFault, type SessionError } from "../Errors.ts"
import * as Client from "../network/Client.ts"
import type { ListenSettings } from "../network/ListenSettings.ts"
import { listenerOf, type Peer } from "../network/Peer.ts"
import type { Ending } from "../network/Relay.ts"
import type { Secure } from "../network/Tls.ts"
import type { Transport } from "../network/Transport.ts"
import * as Detect from "../protocols/Detect.ts"
import type { Exchange } from "../protocols/Protocol.ts"
import * as ProxyProtocol from "../protocols/ProxyProtocol.ts"
import * as Secured from "../protocols/TlsHandshake.ts"
import * as Reply from "../Reply.ts"
import { CurrentSession } from "../session/CurrentSession.ts"
import type { AdmittedSession, Session } from "../session/Session.ts"
import { Sessions } from "../session/Sessions.ts"
import type { Accepted } from "../session/States.ts"
import { ServerSettings } from "./Settings.ts"

/** What serving a connection takes. */
export type Services =
  | Authenticator
  | AuthSettings
  | Bans
  | BanSettings
  | Command.Services
  | ListenSettings
  | ServerSettings
  | Sessions

/**
 * Serves a connection until both sides are done with it, with TLS first where
 * `secure` does its handshake. Never fails: every failure ends here. Takes a fiber
 * of its own, which is interrupted when the session has had all that it may.
 */
export const handle = (
  transport: Transport,
  peer: Peer,
  secure?: Secure
): Effect.Effect<void, never, Services> =>
  Effect.acquireUseRelease(
    Effect.suspend(() => accept(transport, peer, secure)),
    (connection) => (connection ? Effect.whileLoop(connection) : Effect.void),
    close
  )

/**
 * An open connection: the state that its sessions share, and the loop that has one
 * session after the other.
 *
 * Measured on idle relays: the loop as a generator took 5.7 KB of heap more for each
 * of them, and a session a quarter more CPU; as closures, it took 1.1 KB more than as
 * these methods. So nothing that lasts as long as the relay is a generator, and what
 * is suspended is not held by the fiber while bytes are relayed.
 */
class Connection {
  readonly transport: Transport
  readonly client: Client.Client
  readonly session: Session
  /** Does the TLS handshake, on a listener with TLS. */
  readonly secure: Secure | undefined
  readonly settings: ServerSettings["Service"]
  readonly bans: Bans["Service"]
  readonly sessions: Sessions["Service"]
  /** The conversation, once the protocol is known. */
  exchange: Exchange | undefined = undefined
  /** Whether another session may follow. */
  isOpen = true

  constructor(
    transport: Transport,
    session: Session,
    secure: Secure | undefined,
    services: Context.Context<Services>
  ) {
    this.transport = transport
    this.client = Client.make(transport)
    this.session = session
    this.secure = secure
    this.settings = Context.get(services, ServerSettings)
    this.bans = Context.get(services, Bans)
    this.sessions = Context.get(services, Sessions)
  }

  while(): boolean {
    return this.isOpen
  }

  body(): Effect.Effect<void, never, Services> {
    return Effect.matchCauseEffect(
      Effect.suspend(() => serve(this)),
      {
        onSuccess: (ending) => goOn(this, ending),
        onFailure: (cause) => Effect.flatMap(refuse(this, cause), (error) => goOn(this, error))
      }
    )
  }

  step(): void {}
}

/** One session: the login and the request, then the limits, then the command. */
const serve = (connection: Connection): Effect.Effect<Ending, SessionError, Services> => {
  const { client, settings, session, sessions } = connection
  return client
    .withDeadline(hear(connection), settings.handshakeTimeout)
    .pipe(
      Effect.flatMap(({ exchange, admitted }) =>
        Effect.flatMap(sessions.admit(session, admitted), (entered) =>
          Effect.scoped(Effect.suspend(() => Command.run(contextOf(connection, entered, exchange))))
        )
      )
    )
}

/** Lets a connection in; a client that is banned, or one too many, is reset. */
const accept = (
  transport: Transport,
  peer: Peer,
  secure: Secure | undefined
): Effect.Effect<Connection | undefined, never, Services> =>
  Effect.contextWith((services: Context.Context<Services>) =>
    Effect.matchEffect(
      Effect.andThen(Context.get(services, Bans).admit(peer), Context.get(services, Sessions).open(peer)),
      {
        onSuccess: (session) =>
          Effect.withFiber((fiber) => {
            // For as long as the fiber lives: cheaper than to provide it.
            fiber.setContext(Context.add(fiber.context, CurrentSession, session))
            return Effect.succeed(new Connection(transport, session, secure, services))
          }),
        onFailure: () => {
          transport.reset()
          return Effect.undefined
        }
      }
    )
  )

const close = (connection: Connection | undefined, exit: Exit.Exit<void>): Effect.Effect<void> =>
  connection
    ? Effect.andThen(connection.client.close(exit), connection.sessions.close(connection.session))
    : Effect.void

/** Authenticates the client and reads its request; on a new connection the PROXY header, TLS and the protocol come first. */
const hear = Effect.fnUntraced(function* (connection: Connection) {
  const exchange = connection.exchange ?? (yield* begin(connection))
  connection.exchange = exchange
  return { exchange, admitted: yield* exchange.admit }
})

const begin = Effect.fnUntraced(function* ({ client, session, secure, bans, sessions }: Connection) {
  const peer = yield* ProxyProtocol.run(client, session.peer)
  yield* sessions.attribute(session, peer)
  if (peer.via) yield* bans.admit(peer)
  const isTrusted = yield* ProxyProtocol.isTrusted(peer)
  const certified = secure && (yield* Secured.run(client, peer, secure))
  const accepted: Accepted = { client, peer, certified, isTrusted }
  session.accepted = accepted
  const protocol = yield* Detect.run(client)
  session.protocol = protocol.name
  return yield* protocol.begin(accepted, session)
})

const contextOf = (
  { client, session, sessions }: Connection,
  entered: AdmittedSession,
  { succeeded }: Exchange
): Omit<CommandContext, "request"> => ({
  client,
  admitted: entered.admitted,
  log: session,
  connected: (running) => sessions.connected(session, running),
  enter: (decision, traffic) => sessions.chargeRule(entered, decision, traffic),
  succeeded
})

/** Makes a new session of the one that ended, where the client may make another request. */
const goOn = (connection: Connection, outcome: Ending | SessionError): Effect.Effect<void> => {
  const { exchange, session, sessions } = connection
  session.outcome = outcome
  connection.isOpen = exchange?.hasNext?.() === true
  return connection.isOpen ? sessions.renew(session) : Effect.void
}

/** Tells the client of the error, as far as it is for the client to know. */
const refuse = Effect.fnUntraced(function* (
  { transport, session, settings, bans, exchange }: Connection,
  cause: Cause.Cause<SessionError>
) {
  const error = yield* errorOf(cause)
  session.outcome = error
  if (error._tag === "AuthenticationFailed") yield* bans.log(error, loginOf(session))
  // The client is known only since the PROXY header, after the connection was taken on.
  if (error._tag === "Banned") transport.reset()
  session.reportedError = settings.blurFailures ? Reply.masked(error) : error
  if (exchange) yield* exchange.failed(session.reportedError)
  return error
})

/** A defect ends its own session only, with a reply of a general failure. An interrupt stays an interrupt. */
const errorOf = (cause: Cause.Cause<SessionError>): Effect.Effect<SessionError> => {
  if (Cause.hasInterrupts(cause)) return Effect.failCause(cause as Cause.Cause<never>)
  const failure = Cause.findError(cause)
  if (Result.isSuccess(failure)) return Effect.succeed(failure.success)
  const defect = Cause.squash(cause)
  return Effect.as(Effect.logError("a service died", defect), new ServerFault({ defect }))
}

const loginOf = ({ peer, protocol }: Session): FailedLogin => ({
  client: peer.remote,
  listener: listenerOf(peer),
  protocol
})
