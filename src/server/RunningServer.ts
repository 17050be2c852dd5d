/**
 * The server: its listeners, its sessions, and its reloads.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import * as Layer from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Authenticator } from "../auth/Authenticator.ts"
import { AuthSettings } from "../auth/Settings.ts"
import { UsersRefresh } from "../auth/UsersRefresh.ts"
import type { Bans } from "../bans/Bans.ts"
import * as Slices from "../base/Slices.ts"
import type * as ListenAddress from "../config/ListenAddress.ts"
import type { BadSetting, BadSettings, ListenFailed, OpenProxyRefused, StateFailed } from "../Errors.ts"
import type { Ending } from "../network/Relay.ts"
import { CurrentRoute } from "../routes/Routes.ts"
import * as UpstreamState from "../routes/UpstreamState.ts"
import type { Events } from "../session/Events.ts"
import type { Census } from "../session/OpenSessions.ts"
import * as Revalidation from "../session/Revalidation.ts"
import { SessionRegistry } from "../session/SessionRegistry.ts"
import * as SessionSnapshot from "../session/SessionSnapshot.ts"
import type { UsageRecords } from "../usage/UsageRecords.ts"
import * as AddressWait from "./AddressWait.ts"
import * as Composition from "./Composition.ts"
import * as Config from "./Config.ts"
import * as CurrentGeneration from "./CurrentGeneration.ts"
import * as Generation from "./Generation.ts"
import * as Handlers from "./Handlers.ts"
import * as Listeners from "./Listeners.ts"

/** Why a server does not start, or does not change to other settings. */
export type Refusal = BadSetting | BadSettings | ListenFailed | OpenProxyRefused

export class RunningServer extends Context.Service<
  RunningServer,
  {
    /** The listeners, in the order of the configuration, with the ports that the system chose. */
    readonly listeners: ReadonlyArray<ListenAddress.ListenAddress>
    /** The addresses of the TCP listeners. */
    readonly addresses: ReadonlyArray<NetAddress.InetAddress>
    /** Whether clients must log in with a password, except clients of trusted networks. */
    readonly asksPassword: boolean
    /** The certificate (PEM) that the server has made for its TLS listeners; undefined where it has none of its own. */
    readonly selfSigned: string | undefined
    /** The settings in force. A primary, which serves no client, has no rules and users. */
    readonly settings: Config.Values
    /** The numbers of sessions, handshakes and descriptors, for the log. */
    readonly census: Effect.Effect<Census>
    /** The open sessions of all workers. */
    readonly sessions: Effect.Effect<ReadonlyArray<SessionSnapshot.SessionSnapshot>>
    /** The upstreams of the routes in force, of all workers together. */
    readonly upstreams: Effect.Effect<ReadonlyArray<UpstreamState.UpstreamState>>
    /**
     * Ends the session with this number, of any worker, by resetting its connections. `reason` is the outcome in the
     * log, "ended by operator" by default. Returns false if no such session is open.
     */
    readonly endSession: (id: number, reason?: Ending) => Effect.Effect<boolean>
    /**
     * To be called when users have changed within this program: the users file is read again at once, and the sessions
     * of the revoked users end. Returns why the earlier users stay, where they do.
     */
    readonly usersChanged: (revoked: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string>>
    /**
     * Puts other settings in force, with the services made from them: all of them, or on a failure none. Listeners in
     * both settings are not touched. Open connections keep the services with which they began, except that the new
     * authenticator and policy hold for them, too. `release` is called when the new services are no longer in force and
     * their last connection has ended.
     */
    readonly reload: (
      services: Context.Context<Generation.Services>,
      release?: () => void
    ) => Effect.Effect<void, Refusal>
  }
>()("effect-socks/server/RunningServer") {
  /**
   * A server whose usage and bans are counted by `counters`. `listener` listens to events until the last session has
   * ended. On release the server stops accepting, gives its sessions
   * the drain timeout to finish, and then resets the remaining sessions.
   *
   * Fails with `OpenProxyRefused` for an open proxy without the setting `open`, with `BadSetting` or `BadSettings` for
   * settings that cannot be used, and with `ListenFailed` if the system does not allow a listener.
   */
  static readonly layerOf = <E, R, R2 = never>(
    counters: Layer.Layer<Composition.Counters, E, R>,
    listener: Layer.Layer<never, never, R2> = Layer.empty
  ): Layer.Layer<
    RunningServer | Composition.Counted,
    E | Refusal,
    R | Generation.Services | Exclude<R2, Composition.Counted>
  > =>
    Layer.effect(
      RunningServer,
      Effect.suspend(() => make)
    ).pipe(Layer.provideMerge(listener), Layer.provideMerge(Composition.counted(counters)))

  /** A server alone, with its state in the files that the settings name. Fails if a file cannot be read or written. */
  static readonly layer: Layer.Layer<
    RunningServer | Bans | Events | SessionRegistry | UsageRecords,
    Refusal | StateFailed,
    Generation.Services
  > = RunningServer.layerOf(Composition.alone)
}

const make = Effect.gen(function* (): Effect.fn.Return<
  RunningServer["Service"],
  Refusal,
  Handlers.Services | Scope.Scope
> {
  const first = yield* Generation.make(yield* Effect.context<Handlers.Services>(), () => {})
  const current = CurrentGeneration.make(first)
  yield* Effect.addFinalizer(() => Effect.sync(() => current.generation().retire()))
  const handlerFor = yield* Handlers.make(current)
  const sessions = yield* SessionRegistry
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const listeners = yield* Listeners.make(
    () => void fork(Effect.provide(sessions.turnedAway, current.generation().services))
  )
  const userChanges = yield* FiberHandle.make()
  const refresh = yield* UsersRefresh

  const endDenied = Effect.suspend(() => {
    const { server, services } = current.generation()
    if (!server.endDenied) return Effect.void
    const { authenticator, policy, forgetDecisions } = current
    return Effect.andThen(
      Revalidation.endDenied(sessions, { auth: Context.get(services, AuthSettings), authenticator, policy }),
      Effect.sync(forgetDecisions)
    )
  })

  const putInForce = Effect.fnUntraced(function* (next: Generation.Generation) {
    const past = current.generation()
    yield* listeners.reconcile(next.listen, handlerFor(next), (open) => current.replace(next, open))
    const { changes = Stream.empty } = Context.get(next.services, Authenticator)
    yield* FiberHandle.run(
      userChanges,
      Stream.runForEach(changes, () => endDenied)
    )
    if (past === next) return
    past.retire()
    yield* sessions.limitsChanged
    yield* endDenied
  }, Effect.uninterruptible)

  yield* AddressWait.all(first.listen.listen)
  yield* putInForce(first)
  return {
    get listeners() {
      return current.listeners()
    },
    get addresses() {
      return current.addresses()
    },
    get asksPassword() {
      return current.generation().asksPassword
    },
    get selfSigned() {
      return current.generation().selfSigned
    },
    get settings() {
      return Config.of(current.generation().services)
    },
    census: Effect.suspend(() => Effect.provide(sessions.census, current.generation().services)),
    // They may be very many, and those that are served must not wait.
    sessions: Effect.flatMap(sessions.list, (all) => Slices.run(Slices.map(all, SessionSnapshot.of), 1)),
    upstreams: Effect.sync(() => {
      const { upstreams } = Context.get(current.generation().services, CurrentRoute)
      return UpstreamState.first(upstreams?.() ?? [])
    }),
    endSession: (id, reason = "ended by operator") => sessions.end(id, reason),
    usersChanged: Effect.fnUntraced(function* (revoked) {
      const problems = yield* Effect.match(refresh?.run(revoked) ?? Effect.void, {
        onFailure: ({ message }) => [message],
        onSuccess: () => []
      })
      yield* Revalidation.endSessionsOf(sessions, revoked)
      return problems
    }),
    reload: (services, release = () => {}) => Effect.flatMap(Generation.make(services, release), putInForce)
  }
})
