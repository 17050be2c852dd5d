/**
 * `effect-socks` without a command: a server that serves until it is interrupted,
 * and goes on with other settings when they change.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Stream from "effect/Stream"
import { Config } from "../config/Config.ts"
import * as ListenAddress from "../config/ListenAddress.ts"
import * as Reach from "../config/Reach.ts"
import * as Sources from "../config/Sources.ts"
import * as BansReport from "../server/BansReport.ts"
import * as Log from "../server/Log.ts"
import * as Reload from "../server/Reload.ts"
import { Server } from "../server/Server.ts"
import * as Systemd from "../server/Systemd.ts"
import * as Signal from "../system/Signal.ts"
import * as Watch from "../system/Watch.ts"
import * as Banner from "./Banner.ts"

/** Serves by the settings that these flags, the environment and the config file give. */
export const run = Effect.fnUntraced(function* (given: Sources.Given) {
  const first = yield* Sources.read(given)
  const { logFormat } = first.values
  const isJson = logFormat === "json" || (logFormat === "auto" && !process.stdout.isTTY)
  const server = Layer.provideMerge(Server.layerDefault, settingsOf(first))
  const announced = Layer.effectDiscard(Effect.flatMap(Server, isJson ? announce : Banner.print))
  const alongside = Layer.mergeAll(
    announced,
    Systemd.notifying,
    BansReport.onSignal,
    Layer.effectDiscard(Effect.forkScoped(followed(given, first)))
  )
  return yield* Layer.launch(Layer.provide(alongside, server)).pipe(
    Effect.provide(Logger.layer([Log.toStdout(isJson ? Log.json : Log.pretty)])),
    Effect.catchTag("BadSetting", (error) => Effect.fail(Sources.placed(error, first.places)))
  )
})

/** The settings, and the least level that is logged with them. */
const settingsOf = ({ values }: Sources.Read) => {
  const { config: _, logFormat: __, logLevel, ...settings } = values
  return Layer.merge(Config.layer(settings), Layer.succeed(References.MinimumLogLevel, levels[logLevel]))
}

const levels = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  none: "None"
} as const

const announce = Effect.fnUntraced(function* ({ listeners, asksPassword }: Server["Service"]) {
  const privateTargets = Reach.allowsPrivateTargets(yield* Config)
  yield* Effect.logInfo("listening", {
    addresses: listeners.map(ListenAddress.format),
    asksPassword,
    privateTargets
  })
})

/** Reads everything again at SIGHUP, and whenever one of the files that was read has changed. */
const followed = Effect.fnUntraced(function* (given: Sources.Given, first: Sources.Read) {
  let last = first
  const services = Effect.map(Sources.read(given), (read) => {
    last = read
    return Layer.provideMerge(Server.services, settingsOf(read))
  })
  const platform = Layer.succeedContext(yield* Effect.context<FileSystem.FileSystem>())
  const reload = yield* Reload.make(Layer.provide(Layer.unwrap(services), platform))
  while (true) {
    yield* Stream.merge(Watch.changes(filesOf(last)), Signal.received("SIGHUP")).pipe(
      Stream.take(1),
      Stream.runDrain
    )
    yield* reload
  }
})

/** What the settings are in, and the certificates that they name. */
const filesOf = ({
  files,
  values: { tlsCert, tlsKey, tlsClientCa }
}: Sources.Read): ReadonlyArray<string> => [
  ...files,
  ...[tlsCert, tlsKey, tlsClientCa].filter((path) => path !== undefined)
]
