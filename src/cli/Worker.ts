/**
 * The program of a worker: serves with the settings of the primary, until the primary stops it.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as UsersRefresh from "../auth/UsersRefresh.ts"
import { KnownRules } from "../config/ConfigFile.ts"
import { Known } from "../config/Files.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import { RuleTable } from "../config/RuleTable.ts"
import type * as Sources from "../config/Sources.ts"
import { CoordinatorMember } from "../limits/CoordinatorMember.ts"
import * as SelfSigned from "../network/SelfSigned.ts"
import * as Transports from "../network/Transports.ts"
import * as Composition from "../server/Composition.ts"
import { ListenBackend } from "../server/ListenBackend.ts"
import * as MemoryRelease from "../server/MemoryRelease.ts"
import * as Reload from "../server/Reload.ts"
import { RunningServer } from "../server/RunningServer.ts"
import * as Systemd from "../server/Systemd.ts"
import * as EventForward from "../workers/EventForward.ts"
import * as IpcChannel from "../workers/IpcChannel.ts"
import * as IpcCoordinator from "../workers/IpcCoordinator.ts"
import * as Messages from "../workers/Messages.ts"
import * as SessionQuery from "../workers/SessionQuery.ts"
import * as Observing from "./Observing.ts"
import * as Settings from "./Settings.ts"
import * as Setup from "./Setup.ts"

/** Serves with the settings that the primary has read, until the primary stops the worker. */
export const run = Effect.fnUntraced(function* (given: Sources.Given) {
  const channel = yield* IpcChannel.open
  const { reusePort, passed } = channel.welcome
  const platform = Layer.succeedContext(yield* Effect.context<FileSystem.FileSystem>())
  let pair: SelfSigned.Pair | undefined
  const selfSigned: SelfSigned.Source = (hosts) => (pair ? Effect.succeed(pair) : SelfSigned.make(hosts))
  const read = ({ files, rules, selfSigned, logLevel }: Messages.Texts) => {
    pair = selfSigned
    return Settings.read(logLevel === undefined ? given : { ...given, logLevel: [logLevel] }).pipe(
      Effect.provideService(Known, new Map(files)),
      Effect.provideService(KnownRules, new RuleTable(rules))
    )
  }

  let lasting: ReturnType<typeof Composition.lasting> | undefined
  /** The settings of a reload, and the services made from them. */
  const servicesOf = (read: Settings.Read, { remembered }: CoordinatorMember["Service"]) => {
    lasting ??= Composition.lasting(remembered)
    return Layer.provideMerge(Layer.provide(Composition.services(), lasting), Setup.settings(read, passed))
  }

  /** Reports that a reload is done; without a number, that the start is done. */
  const report = (reload?: number) =>
    Effect.map(RunningServer, ({ listeners, asksPassword }) =>
      channel.send({ _tag: "serving", reload, addresses: listeners.map(ListenAddress.format), asksPassword })
    )
  const refuse = (error: Error, reload?: number) =>
    channel.send({ _tag: "refused", reload, error: Messages.write(error) })
  const follow = Effect.gen(function* () {
    const { id, texts } = yield* channel.reload
    const member = yield* CoordinatorMember
    const services = Effect.map(read(texts), (read) => servicesOf(read, member))
    yield* Reload.once(Layer.provide(Layer.unwrap(services), platform)).pipe(
      Effect.andThen(report(id)),
      Effect.catch((error) => Effect.sync(() => refuse(error, id)))
    )
  })

  const sockets = Layer.succeed(ListenBackend, {
    reusePort,
    // The primary has removed stale sockets, and binds the sockets.
    clear: () => Effect.void,
    withMode: (_, bind) => bind(),
    passed: (name) => Systemd.named(passed, name),
    lost: channel.lost
  })
  // Dropped when the server has taken the settings.
  let first: Settings.Read | undefined = yield* Effect.flatMap(channel.reload, ({ texts }) => read(texts))
  const outline = Setup.outline(first)
  const open = Effect.gen(function* () {
    const services = servicesOf(first!, yield* CoordinatorMember)
    first = undefined
    yield* Reload.once(services)
  })
  const observing = yield* Observing.load(outline)
  const listener = Layer.mergeAll(
    EventForward.layer(channel),
    observing.listener,
    observing.answering(channel)
  )
  const server = Layer.provideMerge(
    observing.worker,
    RunningServer.layerOf(CoordinatorMember.services, listener)
  ).pipe(
    Layer.provideMerge(CoordinatorMember.layer),
    Layer.provide([Composition.closed, IpcCoordinator.layer(channel), sockets]),
    Layer.provideMerge(Setup.settings(outline, passed))
  )
  const answering = Effect.gen(function* () {
    const { id, withSessions, withUpstreams } = yield* channel.list
    const { census, sessions, upstreams } = yield* RunningServer
    const all = withSessions ? yield* sessions : []
    for (let first = 0; first < all.length; first += SessionQuery.mostInPart) {
      channel.send({ _tag: "listedPart", id, sessions: all.slice(first, first + SessionQuery.mostInPart) })
      yield* Effect.yieldNow
    }
    const states = withUpstreams ? yield* upstreams : []
    channel.send({ _tag: "listed", id, census: yield* census, upstreams: states })
  })
  const ending = Effect.gen(function* () {
    const { id, session, reason } = yield* channel.end
    const { endSession } = yield* RunningServer
    channel.send({ _tag: "endAnswered", id, isFound: yield* endSession(session, reason) })
  })
  const changingUsers = Effect.gen(function* () {
    const { id, revoked } = yield* channel.usersChanged
    const { usersChanged } = yield* RunningServer
    channel.send({ _tag: "usersTaken", id, problems: yield* usersChanged(revoked) })
  })
  // The scope around the server: while its sessions drain, they can still be listed and ended.
  const scope = yield* Effect.scope
  const serving = Layer.effectDiscard(
    Effect.gen(function* () {
      yield* open
      yield* report()
      yield* Effect.forkScoped(Effect.forever(follow))
      for (const each of [answering, ending, changingUsers]) yield* Effect.forkIn(Effect.forever(each), scope)
      yield* Effect.forkScoped(MemoryRelease.run)
    })
  )
  return yield* Layer.launch(Layer.provide(serving, server)).pipe(
    Effect.provide(
      Layer.provide(Transports.layer({ isWorker: true }), Setup.settings(outline, passed)).pipe(
        Layer.provideMerge(observing.around),
        Layer.provideMerge(Setup.logging(outline, true))
      )
    ),
    Effect.provideService(SelfSigned.SelfSigned, selfSigned),
    Effect.provideService(UsersRefresh.UsersRefresh, UsersRefresh.make()),
    Effect.catch((error) =>
      Effect.andThen(
        Effect.sync(() => refuse(error)),
        Effect.never
      )
    ),
    Effect.raceFirst(channel.stop),
    Effect.ensuring(channel.flush)
  )
}, Effect.scoped)
