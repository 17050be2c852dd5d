/**
 * `effect-socks` without a command: a server that serves until it is interrupted,
 * and goes on with other settings when they change.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as FileWatcher from "../base/FileWatcher.ts"
import * as Signal from "../base/Signal.ts"
import { Config } from "../config/Config.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import * as Reach from "../config/Reach.ts"
import * as Sources from "../config/Sources.ts"
import * as OpenFiles from "../limits/OpenFiles.ts"
import * as Reload from "../server/Reload.ts"
import { Server } from "../server/Server.ts"
import * as StatusReport from "../server/StatusReport.ts"
import * as Systemd from "../server/Systemd.ts"
import * as ProcessRole from "../workers/ProcessRole.ts"
import * as Banner from "./Banner.ts"
import * as Setup from "./Setup.ts"
import * as Warnings from "./Warnings.ts"

/** Serves by the settings that these flags, the environment and the config file give. */
export const run = Effect.fnUntraced(function* (given: Sources.Given) {
  // What is for several processes is loaded where there are several.
  if (yield* Effect.promise(ProcessRole.isWorker)) {
    const Work = yield* Effect.promise(() => import("./Worker.ts"))
    return yield* Work.run(given)
  }
  yield* OpenFiles.check
  const askedTo = yield* Signal.reload
  const readAt = yield* Clock.currentTimeMillis
  const first = yield* Sources.read(given)
  const follower = yield* following(given, first, { readAt, askedTo })
  const workers = yield* ProcessRole.count(first.values.workers)
  const server =
    workers === 1
      ? Server.layerDefault
      : (yield* Effect.promise(() => import("../workers/Primary.ts"))).layer({
          count: workers,
          texts: () => follower.last().texts
        })
  const announced = Layer.effectDiscard(Effect.flatMap(Server, Setup.isJson(first) ? announce : Banner.print))
  const alongside = Layer.mergeAll(
    announced,
    Systemd.notifying,
    StatusReport.onSignal,
    Layer.effectDiscard(Warnings.log(first)),
    Layer.effectDiscard(Effect.forkScoped(follower.follow))
  )
  return yield* Layer.launch(
    Layer.provide(alongside, Layer.provideMerge(server, Setup.settings(first)))
  ).pipe(
    Effect.provide(Setup.logging(first, workers > 1)),
    Effect.mapError((error) => Sources.placed(error, first.locate))
  )
}, Effect.scoped)

const announce = Effect.fnUntraced(function* ({ listeners, asksPassword }: Server["Service"]) {
  const config = yield* Config
  const { reportOnly } = config
  yield* Effect.logInfo("listening", {
    addresses: listeners.map(ListenAddress.format),
    asksPassword,
    privateTargets: reportOnly || Reach.allowsPrivateTargets(config),
    ...(reportOnly && { reportOnly })
  })
})

/** What was read last, and how it is followed: everything is read again at SIGHUP, and when a file that was read has changed. */
const following = Effect.fnUntraced(function* (
  given: Sources.Given,
  first: Sources.Read,
  { readAt, askedTo }: { readonly readAt: number; readonly askedTo: Effect.Effect<void> }
) {
  let last = first
  let { workers } = first.values
  const services = Effect.gen(function* () {
    last = yield* Sources.read(given)
    yield* Warnings.log(last)
    return Layer.provideMerge(Server.services, Setup.settings(last))
  })
  const platform = Layer.succeedContext(yield* Effect.context<FileSystem.FileSystem>())
  const watching = (since = Number.POSITIVE_INFINITY) =>
    Effect.forkChild(Stream.runHead(FileWatcher.changes(filesOf(last), { since })), {
      startImmediately: true
    })
  const follow = Effect.gen(function* () {
    const reload = yield* Reload.make(Layer.provide(Layer.unwrap(services), platform), (error) =>
      Sources.placed(error, last.locate)
    )
    // It takes a while to start, in which nobody watches. Only then does a time tell: a file system's clock can be ahead.
    let change = yield* watching(readAt)
    while (true) {
      yield* Effect.raceFirst(Fiber.join(change), askedTo)
      yield* Fiber.interrupt(change)
      // Before it reads: a reload takes a while, too.
      const [watched, now] = [filesOf(last), yield* Clock.currentTimeMillis]
      change = yield* watching()
      yield* reload
      if (filesOf(last).join() !== watched.join()) {
        yield* Fiber.interrupt(change)
        change = yield* watching(now)
      }
      if (last.values.workers !== workers) {
        workers = last.values.workers
        yield* Effect.logWarning("to serve with another number of workers takes a restart", { workers })
      }
    }
  })
  return { follow, last: () => last }
})

/** What the settings are in, and the certificates that they name. */
const filesOf = ({
  files,
  values: { tlsCert, tlsKey, tlsClientCa, tlsClientCrl }
}: Sources.Read): ReadonlyArray<string> => [
  ...files,
  ...[tlsCert, tlsKey, tlsClientCa, tlsClientCrl].filter((path) => path !== undefined)
]
