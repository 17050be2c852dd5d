/**
 * `effect-socks` without a command: serves until the process is interrupted, and reloads
 * the settings when they change.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as AdminCheck from "../admin/AdminCheck.ts"
import * as RememberedLogins from "../auth/RememberedLogins.ts"
import * as UsersRefresh from "../auth/UsersRefresh.ts"
import type { Bans } from "../bans/Bans.ts"
import * as FileWatcher from "../base/FileWatcher.ts"
import * as Hmac from "../base/Hmac.ts"
import * as Signal from "../base/Signal.ts"
import * as Slices from "../base/Slices.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import { RuleTable } from "../config/RuleTable.ts"
import * as Setting from "../config/Setting.ts"
import * as Sources from "../config/Sources.ts"
import * as StartOnly from "../config/StartOnly.ts"
import type { FleetStoreFailed, StateFailed } from "../Errors.ts"
import { FleetStart } from "../fleet/FleetStart.ts"
import * as LeaderCheck from "../fleet/LeaderCheck.ts"
import * as OpenFiles from "../limits/OpenFiles.ts"
import * as Quotas from "../limits/Quotas.ts"
import * as SelfSigned from "../network/SelfSigned.ts"
import * as Transports from "../network/Transports.ts"
import * as Reach from "../policy/Reach.ts"
import * as AddressWait from "../server/AddressWait.ts"
import * as Composition from "../server/Composition.ts"
import * as Config from "../server/Config.ts"
import * as MemoryRelease from "../server/MemoryRelease.ts"
import * as Reload from "../server/Reload.ts"
import { type Refusal, RunningServer } from "../server/RunningServer.ts"
import * as StatusReport from "../server/StatusReport.ts"
import * as Systemd from "../server/Systemd.ts"
import * as TlsFiles from "../server/TlsFiles.ts"
import type { Events } from "../session/Events.ts"
import type { UsageRecords } from "../usage/UsageRecords.ts"
import * as Messages from "../workers/Messages.ts"
import * as ProcessRole from "../workers/ProcessRole.ts"
import type * as Admin from "./Admin.ts"
import * as Banner from "./Banner.ts"
import * as Observing from "./Observing.ts"
import * as ReloadRequests from "./ReloadRequests.ts"
import * as Settings from "./Settings.ts"
import * as Setup from "./Setup.ts"
import * as Warnings from "./Warnings.ts"

/** Serves with the settings of these flags, the environment variables and the config file. */
export const run = Effect.fnUntraced(function* (given: Sources.Given) {
  // The code for several processes is loaded only if there are several.
  if (yield* Effect.promise(ProcessRole.isWorker)) {
    const Work = yield* Effect.promise(() => import("./Worker.ts"))
    return yield* Work.run(given)
  }
  yield* OpenFiles.check
  const askedTo = yield* Signal.reload
  const readAt = yield* Clock.currentTimeMillis
  const selfSigned = SelfSigned.kept()
  const following = yield* start(given, selfSigned)
  const { outline, workers } = following
  const observing = yield* Observing.load(outline)
  const Primary = workers === 1 ? undefined : yield* Effect.promise(() => import("../workers/Primary.ts"))
  const fleet = yield* loadedFleet(outline)
  const server: Layer.Layer<
    RunningServer | Bans | Events | UsageRecords,
    FleetStoreFailed | Refusal | StateFailed,
    Config.Sections
  > =
    Primary === undefined
      ? Layer.provideMerge(
          observing.alone,
          RunningServer.layerOf(fleet?.alone ?? Composition.alone, observing.listener)
        ).pipe(Layer.provide(Composition.closed))
      : Layer.provideMerge(
          observing.primary,
          Primary.layer({ count: workers, seat: fleet?.seat(workers), texts: following.texts })
        )
  // One for all reloads.
  const remembered = RememberedLogins.make(Hmac.digest(Hmac.newKey()))
  const services =
    Primary === undefined
      ? Layer.provide(Composition.services(), Composition.lasting(remembered))
      : Primary.services
  // The scope around the server: the admin listener still answers while the sessions drain.
  const scope = yield* Effect.scope
  const admin = following.admin === undefined ? Effect.void : loadedAdmin(following.admin, scope)
  const alongside = Layer.mergeAll(
    Systemd.notifying,
    StatusReport.onSignal,
    // The primary has no connections.
    Primary === undefined ? Layer.effectDiscard(Effect.forkScoped(MemoryRelease.run)) : Layer.empty,
    Layer.effectDiscard(Effect.forkScoped(following.follow(services, { readAt, askedTo })))
  )
  return yield* Layer.launch(
    alongside.pipe(
      Layer.provide(
        Layer.effectDiscard(
          learnt(following.admin).pipe(Effect.andThen(following.open(services)), Effect.andThen(admin))
        )
      ),
      Layer.provide(Layer.provideMerge(server, Setup.settings(outline)))
    )
  ).pipe(
    Effect.provide(
      Layer.provide(Transports.layer(), Setup.settings(outline)).pipe(
        Layer.provideMerge(observing.around),
        Layer.provideMerge(Setup.logging(outline, workers > 1))
      )
    ),
    Effect.provideService(SelfSigned.SelfSigned, selfSigned),
    Effect.provideService(UsersRefresh.UsersRefresh, UsersRefresh.make())
  )
}, Effect.scoped)

/** The code of the admin listener is loaded only if there is one. */
const loadedAdmin = (options: Admin.Options, scope: Scope.Scope) =>
  Effect.flatMap(
    Effect.promise(() => import("./Admin.ts")),
    ({ start }) => start(options, scope)
  )

/** On a machine of a fleet, what it has to know before it serves. A machine without an admin listener has no changes of users. */
const learnt = Effect.fnUntraced(function* (options: Admin.Options | undefined) {
  const start = yield* Effect.serviceOption(FleetStart)
  if (Option.isNone(start)) return
  if (options === undefined) return yield* start.value.learn()
  const { changeEarly } = yield* Effect.promise(() => import("./Admin.ts"))
  yield* start.value.learn(changeEarly(options))
})

/** The code of a fleet is loaded only on a machine of one. */
const loadedFleet = Effect.fnUntraced(function* ({ values }: Settings.Read) {
  const { fleet } = values
  if (fleet === undefined) return undefined
  const Fleet = yield* Effect.promise(() => import("../fleet/Fleet.ts"))
  return Fleet.make({ ...values, fleet })
})

const announce = Effect.fnUntraced(function* ({
  listeners,
  asksPassword,
  selfSigned
}: RunningServer["Service"]) {
  const config = yield* Config.values
  const { reportOnly } = config
  yield* Effect.logInfo("listening", {
    addresses: listeners.map(ListenAddress.format),
    asksPassword,
    privateTargets: reportOnly || Reach.allowsPrivateTargets(config),
    transport: (yield* Transports.CurrentTransport).name,
    ...(reportOnly && { reportOnly }),
    ...(selfSigned !== undefined && { selfSigned: SelfSigned.fingerprint(selfSigned) })
  })
})

/** The services that are built from settings. */
type Services = ReturnType<typeof Composition.services>

/**
 * Reads the settings, and again at each reload: at SIGHUP, and when a file that was read has changed. Keeps only what
 * the next reload needs, because rules and users can be very many.
 */
const start = Effect.fnUntraced(function* (given: Sources.Given, selfSigned: SelfSigned.Source) {
  const platform = Layer.succeedContext(yield* Effect.context<FileSystem.FileSystem>())
  /** The log level that an operator has set. */
  let logLevel: string | undefined
  const read = Effect.suspend(() =>
    Settings.read(logLevel === undefined ? given : { ...given, logLevel: [logLevel] })
  )
  const first = yield* read
  const outline = Setup.outline(first)
  const workers = yield* ProcessRole.count(first.values.workers)
  /** The settings that were read and that the server has not taken or refused yet. */
  let upcoming: Settings.Read | undefined = first
  /** The settings in force, for the admin listener only: rules and users may be very many. */
  let inForce = first.values
  const requests = ReloadRequests.make()
  let files = filesOf(first)
  const textsOf = Effect.fnUntraced(function* ({
    forWorkers,
    values: { rules, tls, listen }
  }: Settings.Read) {
    if (workers === 1) return Messages.nothing
    const texts: Messages.Texts = {
      files: [...forWorkers],
      rules: Slices.runSync(RuleTable.of(rules)).parts,
      ...(logLevel !== undefined && { logLevel })
    }
    return tls === "auto" ? { ...texts, selfSigned: yield* selfSigned(TlsFiles.hostsOf(listen)) } : texts
  })
  let texts = yield* textsOf(first)
  const kept = StartOnly.keep(Settings.table, first.values)

  const adminTls = yield* Effect.mapError(AdminCheck.tls(first.values), (error) =>
    Sources.placed(error, first.locate)
  )
  yield* Effect.mapError(LeaderCheck.database(first.values), (error) => Sources.placed(error, first.locate))
  /** The certificate of the admin listener by the settings that were read last. */
  let renewal = adminTls
  let renewTls: (tls: SelfSigned.Pair) => boolean = () => adminTls !== undefined
  const placed = <E>(error: E) => (upcoming ? Sources.placed(error, upcoming.locate) : error)
  const done = Effect.sync(() => {
    upcoming = undefined
  })
  const layerOf = (services: Services, read: Settings.Read) =>
    Layer.provide(Layer.provideMerge(services, Setup.settings(read)), platform)

  /** Puts the first settings in force, and logs that the server listens. */
  const open = (services: Services) =>
    Effect.gen(function* () {
      const settings = upcoming ?? (yield* read)
      // Only at the start: a reload must not be delayed, because it may revoke access.
      yield* AddressWait.all(settings.values.listen)
      yield* Effect.mapError(Reload.once(layerOf(services, settings)), placed)
      const server = yield* RunningServer
      yield* Effect.provide(
        Setup.isJson(settings) ? announce(server) : Banner.print(server),
        Setup.settings(settings)
      )
      const { lacking, lackingUdp } = yield* Transports.CurrentTransport
      if (lacking !== undefined) {
        yield* Effect.logWarning(`transport: no descriptors here, so Node's sockets serve: ${lacking}`)
      }
      if (lackingUdp !== undefined) {
        yield* Effect.logWarning(`transport: Node's sockets serve UDP: ${lackingUdp}`)
      }
      yield* Warnings.log(settings)
      for (const warning of Quotas.warnings(settings.values)) yield* Effect.logWarning(warning)
    }).pipe(Effect.ensuring(done), Effect.provide(platform))

  const next = (services: Services) =>
    Effect.gen(function* () {
      const settings = yield* read
      upcoming = settings
      files = filesOf(settings)
      texts = yield* textsOf(settings)
      if (admin) renewal = yield* AdminCheck.tls({ ...settings.values, admin: admin.at })
      yield* Warnings.log(settings)
      return layerOf(services, settings)
    })

  const watching = (since = Number.POSITIVE_INFINITY) =>
    Effect.forkChild(Stream.runHead(FileWatcher.changes(files, { since })), { startImmediately: true })
  const follow = Effect.fnUntraced(function* (
    services: Services,
    { readAt, askedTo }: { readonly readAt: number; readonly askedTo: Effect.Effect<void> }
  ) {
    const reload = yield* Reload.make(Layer.provide(Layer.unwrap(next(services)), platform), placed)
    // Files can change during the start, before the watch. Only here a time is needed, because a file system's clock
    // can be ahead.
    let change = yield* watching(readAt)
    while (true) {
      yield* Effect.raceAllFirst([Fiber.join(change), askedTo, requests.asked])
      yield* Fiber.interrupt(change)
      // Watches before the reload reads, because files can change during the reload, too.
      const [watched, now] = [files, yield* Clock.currentTimeMillis]
      change = yield* watching()
      const answer = requests.take()
      const exit = yield* reload
      if (Exit.isSuccess(exit) && upcoming) {
        if (admin) inForce = upcoming.values
        yield* StartOnly.warn(kept, upcoming.values, (name) => `--${Setting.flagName(name)}`)
        if (admin && (renewal ? !renewTls(renewal) : adminTls !== undefined)) {
          yield* Effect.logWarning("to serve the admin listener with or without TLS takes a restart")
        }
      }
      answer(Exit.isSuccess(exit) ? undefined : Reload.reasonOf(exit.cause))
      yield* done
      if (files.join() !== watched.join()) {
        yield* Fiber.interrupt(change)
        change = yield* watching(now)
      }
    }
  })
  const admin: Admin.Options | undefined = first.values.admin && {
    ...{ at: first.values.admin, tls: adminTls, settings: first.values },
    inForce: () => inForce,
    reload: requests.request,
    onListening: (renew) => {
      renewTls = renew
    },
    setLogLevel: (level) =>
      Effect.suspend(() => {
        const before = logLevel
        logLevel = level
        return Effect.onError(requests.request, () =>
          Effect.sync(() => {
            logLevel = before
          })
        )
      })
  }
  return { outline, workers, admin, open, follow, texts: () => texts }
})

/** The files of the settings, and the files of certificates that the settings name, those of upstreams among them. */
const filesOf = ({
  files,
  values: { tlsCert, tlsKey, tlsClientCa, tlsClientCrl, adminTlsCert, adminTlsKey, upstream, routes }
}: Settings.Read): ReadonlyArray<string> => {
  const members = routes.flatMap(({ members }) => members.flatMap(({ via }) => via))
  const ofUpstreams = [...upstream, ...members].flatMap(({ files: { ca, cert, key } }) => [ca, cert, key])
  const all = [tlsCert, tlsKey, tlsClientCa, tlsClientCrl, adminTlsCert, adminTlsKey, ...ofUpstreams]
  return [...new Set([...files, ...all.filter((path) => path !== undefined)])]
}
