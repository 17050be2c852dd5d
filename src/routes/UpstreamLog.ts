/**
 * The log of upstreams that fail and work again. Its default writes nothing; `session/EventSources` makes events of it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** A member of a route. */
export interface Which {
  readonly route: string
  readonly member: string
}

/** Why an upstream failed: the tag and the message of the error. */
export interface Failure {
  readonly outcome: string
  readonly reason: string
}

export interface Service {
  /** An upstream failed, for a session or a health check. */
  readonly failed: (upstream: Which & Failure) => Effect.Effect<void>
  /** An upstream is left alone from now on because of a failure, or works again. */
  readonly changed: (upstream: Which & { readonly isUp: boolean } & Partial<Failure>) => Effect.Effect<void>
}

export const UpstreamLog = Context.Reference<Service>("effect-socks/routes/UpstreamLog", {
  defaultValue: () => ({ failed: () => Effect.void, changed: () => Effect.void })
})
