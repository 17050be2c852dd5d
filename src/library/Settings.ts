/**
 * The settings of a server in an app: from plain options, from a config file, from environment variables or from
 * Effect's `Config`. All of them refuse the same values with the same sentences as the program.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as ConfigFile from "../config/ConfigFile.ts"
import { Files } from "../config/Files.ts"
import * as PlainValues from "../config/PlainValues.ts"
import * as ProblemErrors from "../config/ProblemErrors.ts"
import * as Section from "../config/Section.ts"
import * as Setting from "../config/Setting.ts"
import * as Sources from "../config/Sources.ts"
import { type BadSetting, type BadSettings, OpenProxyRefused } from "../Errors.ts"
import * as ServerConfig from "../server/Config.ts"
import * as Systemd from "../server/Systemd.ts"
import type { ServerOptions } from "./ServerOptions.ts"

const everything = Section.table(ServerConfig.sections)

/** All settings except `user`, which is the form of `users` in flags and variables. */
const { user: _, ...table } = everything

/**
 * The settings of a server, read and checked.
 *
 * **When to use**
 *
 * Use it instead of options if the settings come from elsewhere: `fromFile` (a config file of the program),
 * `fromEnv` (its environment variables), `fromConfig` (Effect's `Config`); and `Settings.layer` to build a service
 * of this package outside of a server.
 *
 * **Example** (A server by its config file, and a dialer on its own)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Dialer, Server, Settings } from "effect-socks"
 *
 * const FromFile = Layer.unwrap(Effect.map(Settings.fromFile("proxy.yaml"), Server.layer))
 *
 * const DialerLive = Dialer.layer.pipe(Layer.provide(Settings.layer({ connectTimeout: "5 seconds" })))
 * ```
 */
export class Settings {
  readonly values: ServerConfig.Values
  /** Finds the name and the place of a setting for an error. */
  readonly locate: ConfigFile.Locate

  private constructor(values: Partial<ServerConfig.Values>, locate: ConfigFile.Locate) {
    const { listen = ServerConfig.defaults.listen } = values
    this.values = { ...ServerConfig.defaults, ...values, listen: Systemd.known(listen) }
    this.locate = locate
  }

  /** Reads options. */
  static readonly make = (options: ServerOptions | Settings = {}): Effect.Effect<Settings, BadSettings> =>
    options instanceof Settings
      ? Effect.succeed(options)
      : Effect.map(PlainValues.read(table, options), (values) => new Settings(values, byKey))

  /** Reads a config file, which may have the settings of a server and no others. */
  static readonly fromFile = (path: string): Effect.Effect<Settings, BadSettings, FileSystem.FileSystem> =>
    ConfigFile.read(path, ConfigFile.formsOf(everything)).pipe(
      Effect.provideServiceEffect(Files, Files.make),
      Effect.map(({ values, locate }) => new Settings(values, locate))
    )

  /**
   * Reads the environment variables of the program, such as `SOCKS_LISTEN`, from the `ConfigProvider`. Variables
   * `SOCKS_…` that are no setting of a server are logged as warnings.
   */
  static readonly fromEnv: Effect.Effect<Settings, BadSettings> = Effect.gen(function* () {
    for (const warning of Sources.strangers(everything, yield* Sources.variables)) {
      yield* Effect.logWarning(warning)
    }
    return new Settings(yield* Sources.fromVariables(everything), byVariable)
  })

  /** Reads options that are each a `Config`. */
  static readonly fromConfig = (
    options: Config.Wrap<ServerOptions>
  ): Effect.Effect<Settings, BadSettings | Config.ConfigError> =>
    Effect.flatMap(Config.unwrap<ServerOptions>(options), Settings.make)

  /** The settings as services, for a service of one's own that is built on one of this package's. */
  static readonly layer = (
    options: ServerOptions | Settings = {}
  ): Layer.Layer<ServerConfig.Sections, BadSettings> =>
    Layer.unwrap(Effect.map(Settings.make(options), layerOf))
}

const byKey: ConfigFile.Locate = (path) => ({
  setting: ProblemErrors.nameOf(path.map((key) => (typeof key === "string" ? PlainValues.keyOf(key) : key)))
})

const byVariable: ConfigFile.Locate = ([name]) => ({
  setting: Setting.variableName(PlainValues.keyOf(String(name)))
})

/** An error about settings, in the words of where they come from. */
export const placed =
  ({ locate }: Settings) =>
  <E>(error: E): E | BadSetting | BadSettings | OpenProxyRefused =>
    error instanceof OpenProxyRefused
      ? new OpenProxyRefused({ address: error.address, advice })
      : Sources.placed(error, locate)

const advice = "Give it users or an Authenticator that asks for a password, or open: true to let everyone in."

export const layerOf = ({ values }: Settings): Layer.Layer<ServerConfig.Sections> =>
  ServerConfig.layer(values)
