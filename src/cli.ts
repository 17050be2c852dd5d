/**
 * The program: settings in, a running server out, and commands about settings.
 */

import * as Console from "effect/Console"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Host from "effect/net/Host"
import * as NetAddress from "effect/net/NetAddress"
import * as References from "effect/References"
import * as Check from "./cli/Check.ts"
import * as HashPassword from "./cli/HashPassword.ts"
import { Config } from "./config/Config.ts"
import * as EditorSchema from "./config/EditorSchema.ts"
import * as ListenAddress from "./config/ListenAddress.ts"
import * as Reach from "./config/Reach.ts"
import * as Settings from "./config/Settings.ts"
import * as Sources from "./config/Sources.ts"
import * as BansReport from "./server/BansReport.ts"
import * as Log from "./server/Log.ts"
import { Server } from "./server/Server.ts"
import * as Systemd from "./server/Systemd.ts"

const root = Command.make("effect-socks").pipe(Command.withSharedFlags(Sources.flags(Settings.texts)))

const check = Command.make("check", {}, () => Effect.flatMap(root, Check.run)).pipe(
  Command.withDescription("Say what is wrong with the settings, or that nothing is, and start no server")
)

const schema = Command.make("schema", {}, () =>
  Console.log(JSON.stringify(EditorSchema.make(), null, 2))
).pipe(Command.withDescription("Print the JSON Schema of the config file, for editors"))

/** `effect-socks`: serves until it is interrupted. */
export const command = root.pipe(
  Command.withHandler(
    Effect.fnUntraced(function* (given: Sources.Given) {
      const { values, places } = yield* Sources.read(given)
      const { config: _, logLevel, logFormat, ...settings } = values
      const isJson = logFormat === "json" || (logFormat === "auto" && !process.stdout.isTTY)
      const logging = Layer.merge(
        Logger.layer([Log.toStdout(isJson ? Log.json : Log.pretty)]),
        Layer.succeed(References.MinimumLogLevel, levels[logLevel])
      )
      const server = Layer.provideMerge(Server.layerDefault, Config.layer(settings))
      const announced = Layer.effectDiscard(Effect.flatMap(Server, isJson ? announce : banner))
      const told = Layer.mergeAll(announced, Systemd.notifying, BansReport.onSignal)
      return yield* Layer.launch(Layer.provide(told, server)).pipe(
        Effect.provide(logging),
        Effect.catchTag("BadSetting", (error) => Effect.fail(Sources.placed(error, places)))
      )
    })
  ),
  Command.withSubcommands([check, schema, HashPassword.command]),
  Command.withDescription("A SOCKS and HTTP proxy server"),
  Command.withExamples([
    { command: "effect-socks", description: "Serve this machine on 127.0.0.1:1080" },
    {
      command: "effect-socks --listen 0.0.0.0:1080 --user alice:secret",
      description: "Serve others, who have to give a password"
    },
    { command: "effect-socks --config effect-socks.yaml", description: "Serve as a file says" }
  ])
)

/** How the command line behaves. */
export const behaviour = Layer.merge(
  // `--log-level` is a setting like the others.
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
  // A slip earns a sentence, not the whole help.
  CliOutput.layerPresenter({
    present: (event) =>
      event._tag === "InvalidInvocation"
        ? Console.error(`${event.errors.map(({ message }) => message).join("\n")}\nSee effect-socks --help.`)
        : CliOutput.defaultPresenter.present(event)
  })
)

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

const banner = Effect.fnUntraced(function* ({ listeners, asksPassword }: Server["Service"]) {
  const config = yield* Config
  const { protocols, tlsClientCa, trust } = config
  const user = asksPassword ? "NAME:PASSWORD@" : ""
  const door = (at: ListenAddress.ListenAddress) =>
    ListenAddress.doorOf(at)._tag === "Tls" && tlsClientCa !== undefined
      ? ", for clients with a certificate"
      : ""
  yield* Console.log(
    [
      "",
      ...listeners.map((at) => `  effect-socks listens on ${ListenAddress.format(at)}${door(at)}`),
      asksPassword
        ? "  and asks for a user name and a password."
        : trust.length > 0
          ? "  and lets in whoever comes from a trusted network."
          : "  and lets everyone in who can reach it.",
      Reach.allowsPrivateTargets(config)
        ? "  Clients can go to private addresses, as this machine can."
        : "  Clients cannot go to private addresses (--private-targets, --allow-target).",
      "",
      ...listeners
        .flatMap((at) =>
          urlOf(ListenAddress.doorOf(at), user, ListenAddress.settingsOf(at).protocols ?? protocols)
        )
        .map((proxy) => `  Try it: curl -x ${proxy} https://example.com`),
      ""
    ].join("\n")
  )
})

/** A listener as curl takes it, if it does: it speaks no SOCKS over TLS, and no HTTP to sockets in files. */
const urlOf = (
  at: ListenAddress.Door,
  user: string,
  protocols: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const isTls = at._tag === "Tls"
  const place = ListenAddress.placeOf(at)
  const scheme = isTls ? "https" : protocols.includes("socks5") ? "socks5h" : "http"
  if (scheme !== "socks5h" && !protocols.includes("http")) return []
  if (place._tag === "HostPort") {
    const isAny = NetAddress.isIpAddress(place.host) && NetAddress.isUnspecified(place.host)
    const host = isAny ? "127.0.0.1" : Host.formatHost(place.host)
    return [`${scheme}://${user}${NetAddress.formatUrlHostString(host)}:${place.port}`]
  }
  return place._tag === "UnixPathAddress" && scheme === "socks5h"
    ? [`socks5h://${user}localhost${encodeURI(place.path)}`]
    : []
}
