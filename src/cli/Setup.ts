/**
 * The layers of a server's settings and log.
 */
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Output from "../base/Output.ts"
import * as Config from "../server/Config.ts"
import * as Log from "../server/Log.ts"
import * as Systemd from "../server/Systemd.ts"
import type * as Settings from "./Settings.ts"

/** The settings as services, with the passed sockets of systemd, and the minimum log level. */
export const settings = ({ values }: Settings.Read, passed?: ReadonlyArray<Systemd.Passed>) => {
  const { config: _, workers: __, logFormat: ___, logLevel, ...settings } = values
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
export const isJson = ({ values: { logFormat } }: Settings.Read): boolean =>
  logFormat === "json" || (logFormat === "auto" && !Output.isTerminal)

/** The log on standard output. `isShared`: other processes write to the same output. */
export const logging = (read: Settings.Read, isShared: boolean) => {
  if (isShared) Output.share()
  return Logger.layer([Log.toStdout(isJson(read) ? Log.json : Log.pretty)])
}

const levels = {
  trace: "Trace",
  debug: "Debug",
  info: "Info",
  warn: "Warn",
  error: "Error",
  none: "None"
} as const
