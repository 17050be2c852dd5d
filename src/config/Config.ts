/**
 * The settings a server runs with.
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Settings from "./Settings.ts"

export type Values = Settings.Values<typeof Settings.server & typeof Settings.structured>

export class Config extends Context.Service<Config, Values>()("effect-socks/config/Config") {
  /** Every setting at its default. */
  static readonly defaults: Values = Settings.defaults({ ...Settings.server, ...Settings.structured })

  /** The defaults, with these values in their place. */
  static readonly layer = (values: Partial<Values> = {}): Layer.Layer<Config> =>
    Layer.succeed(Config, { ...Config.defaults, ...values })
}
