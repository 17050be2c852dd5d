/**
 * The layers of a server's settings and log.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as LogFile from "../base/LogFile.ts"
import * as Output from "../base/Output.ts"
import { BadSetting } from "../Errors.ts"
import * as Config from "../server/Config.ts"
import * as Log from "../server/Log.ts"
import * as Systemd from "../server/Systemd.ts"
import { printable } from "../wire/Text.ts"
import type * as Settings from "./Settings.ts"

/** The settings as services, with the passed sockets of systemd, and the minimum log level. */
export const settings = ({ values }: Settings.Read, passed?: ReadonlyArray<Systemd.Passed>) => {
  const { config: _, workers: __, logFormat: ___, logFile: ____, logLevel, ...settings } = values
  const listen = Systemd.known(settings.listen, passed)
  return Layer.merge(
    Config.layer({ ...settings, listen }),
    Layer.succeed(References.MinimumLogLevel, levels[logLevel])
  )
}

/**
 * The settings of a server before its first reload, without listeners, users, rules and certificates. They are kept as
 * long as the server runs, so they must be small, and let no client in.
 */
export const outline = (read: Settings.Read): Settings.Read => ({
  ...read,
  values: {
    ...read.values,
    listen: [],
    user: [],
    users: [],
    trust: [],
    tls: "files",
    tlsCert: undefined,
    tlsKey: undefined,
    tlsClientCa: undefined,
    tlsClientCrl: undefined,
    rules: [],
    upstream: [],
    noProxy: [],
    routes: [],
    allowTarget: [],
    denyTarget: [],
    // Warnings about quotas need the users and rules.
    dailyQuota: "off",
    monthlyQuota: "off"
  },
  locate: () => undefined,
  texts: new Map()
})

/** Whether log lines are JSON. */
export const isJson = ({ values: { logFormat, logFile } }: Settings.Read): boolean =>
  logFormat === "json" || (logFormat === "auto" && (logFile !== undefined || !Output.isTerminal))

/** The log, on standard output or in a file. `isShared`: other processes write to the same output. */
export const logging = (read: Settings.Read, isShared: boolean): Layer.Layer<never, BadSetting> => {
  if (isShared) Output.share()
  const format = isJson(read) ? Log.json : Log.pretty
  const { logFile } = read.values
  return logFile === undefined
    ? Logger.layer([Log.toOutlet(format)])
    : Layer.unwrap(Effect.map(openLog(logFile), (outlet) => Logger.layer([Log.toOutlet(format, outlet)])))
}

const openLog = (path: string) => Effect.mapError(LogFile.open(path), (code) => unusable(path, code))

/** Fails if the log file cannot be written. */
export const checkLog = ({ values: { logFile } }: Settings.Read): Effect.Effect<void, BadSetting> =>
  logFile === undefined
    ? Effect.void
    : Effect.mapError(LogFile.check(logFile), (code) => unusable(logFile, code))

const unusable = (path: string, code: string): BadSetting =>
  new BadSetting({
    setting: "--log-file",
    value: `"${printable(path)}"`,
    expected: `a file that can be written (${code})`,
    path: ["logFile"]
  })

const levels = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  none: "None"
} as const
