/**
 * The proxy auto-config file of a listener: a script by which browsers choose whether to use the proxy. Browsers fetch the
 * file without credentials, so everyone who can reach the listener can read it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Asked } from "./AutoConfigScript.ts"
import { PolicySettings } from "./Settings.ts"

interface Service {
  readonly script: (asked: Asked) => string
}

/** Undefined where there is no such file, as by default. */
export class AutoConfig extends Context.Reference<Readonly<Service> | undefined>(
  "effect-socks/policy/AutoConfig",
  {
    defaultValue: () => undefined
  }
) {
  /** The file of the settings. Its code is loaded only where the file is served. */
  static readonly layer: Layer.Layer<never, never, PolicySettings> = Layer.unwrap(
    Effect.gen(function* () {
      const { pac, rules } = yield* PolicySettings
      if (pac === "off") return Layer.empty
      const { make } = yield* Effect.promise(() => import("./AutoConfigScript.ts"))
      const service = make(pac === "rules" ? rules : [])
      if (service.isCutShort)
        yield* Effect.logWarning(
          "the rules have too many targets for a proxy auto-config file: it sends all to the proxy"
        )
      return Layer.succeed(AutoConfig, service)
    })
  )
}
