/**
 * Whether load balancers may send clients here. A server that drains is not ready, and serves as before.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export class Readiness extends Context.Service<
  Readiness,
  {
    readonly isDraining: Effect.Effect<boolean>
    readonly setDraining: (isDraining: boolean) => Effect.Effect<void>
  }
>()("effect-socks/admin/Readiness") {
  static readonly layer: Layer.Layer<Readiness> = Layer.sync(Readiness, () => {
    let current = false
    return {
      isDraining: Effect.sync(() => current),
      setDraining: (isDraining) =>
        Effect.sync(() => {
          current = isDraining
        })
    }
  })
}
