/**
 * What a server takes that settings were read for: the settings themselves, and
 * how it logs.
 */
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Output from "../base/Output.ts"
import * as Config from "../server/Config.ts"
import * as Log from "../server/Log.ts"
import * as Systemd from "../server/Systemd.ts"
import type * as Settings from "./Settings.ts"

/** The settings, with what is known of the sockets that systemd passed, and the least level that is logged with them. */
export const settings = ({ values }: Settings.Read, passed?: ReadonlyArray<Systemd.Passed>) => {
  const { config: _, workers: __, logFormat: ___, logLevel, ...settings } = values
  const listen = Systemd.known(settings.listen, passed)
  return Layer.merge(
    Config.layer({ ...settings, listen }),
    Layer.succeed(References.MinimumLogLevel, levels[logLevel])
  )
}

/**
 * What outlives a reload, for a server that is not open yet: nothing of what there may be very much of, and nothing
 * that lets anyone in.
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
    allowTarget: [],
    denyTarget: [],
    // They are warned of with what there is of users and rules.
    dailyQuota: "off",
    monthlyQuota: "off"
  },
  locate: () => undefined,
  texts: new Map()
})

/** Whether lines are for programs. */
export const isJson = ({ values: { logFormat } }: Settings.Read): boolean =>
  logFormat === "json" || (logFormat === "auto" && !Output.isTerminal)

/** Writes to standard output, where others may write as well. */
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
