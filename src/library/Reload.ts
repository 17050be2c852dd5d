/**
 * Reloads: other settings for a running server in an app.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import * as Tracer from "effect/Tracer"
import * as Section from "../config/Section.ts"
import * as StartOnly from "../config/StartOnly.ts"
import type { BadSettings } from "../Errors.ts"
import type * as Composition from "../server/Composition.ts"
import * as Config from "../server/Config.ts"
import * as ServerReload from "../server/Reload.ts"
import type { Refusal, RunningServer } from "../server/RunningServer.ts"
import type { Events } from "../session/Events.ts"
import type { ServerOptions } from "./ServerOptions.ts"
import { layerOf, placed, Settings } from "./Settings.ts"

/**
 * Puts other settings in force in a running server: all of them, or on a failure none.
 *
 * **When to use**
 *
 * Use it when the options of the app change. Open connections stay. Listeners in both settings are not touched.
 * Services that the app has replaced stay; all other services are built anew.
 *
 * **Example** (Closing every target)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Reload } from "effect-socks"
 *
 * const close = Effect.gen(function* () {
 *   const reload = yield* Reload
 *   yield* reload({ listen: "127.0.0.1:1080", denyTarget: "*" })
 * }).pipe(Effect.catch(({ message }) => Effect.logError(message)))
 * ```
 */
export class Reload extends Context.Service<
  Reload,
  (options: ServerOptions | Settings) => Effect.Effect<void, Refusal | BadSettings>
>()("effect-socks/library/Reload") {
  /** Builds these services anew for each reload of a server that was started with these settings. */
  static readonly layerOf = (
    services: ReturnType<typeof Composition.services>,
    { values }: Settings
  ): Layer.Layer<Reload, never, RunningServer | Events> =>
    Layer.effect(
      Reload,
      Effect.gen(function* () {
        // The context in which the server was built, with its logger: a reload can be called from anywhere in the app.
        const context = Context.omit(Tracer.ParentSpan)(yield* Effect.context<RunningServer | Events>())
        const one = yield* Semaphore.make(1)
        const kept = StartOnly.keep(Section.table(Config.sections), values)
        return (options) =>
          Settings.make(options).pipe(
            Effect.flatMap((settings) =>
              ServerReload.once(Layer.provideMerge(services, layerOf(settings))).pipe(
                Effect.mapError(placed(settings)),
                Effect.andThen(StartOnly.warn(kept, settings.values, (name) => name))
              )
            ),
            ServerReload.reported,
            Effect.provideContext(context),
            one.withPermits(1)
          )
      })
    )
}
