/**
 * Connections to origins that wait for another request.
 *
 * A connection is kept for its owner, address and port alone, so no user gets another user's. Each request is
 * judged before it gets one, so an address that was denied meanwhile is not used again.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Deadline from "../base/Deadline.ts"
import * as Descriptors from "../limits/Descriptors.ts"
import type { HttpOrigin } from "../network/HttpOrigin.ts"

/** The time that a connection waits. Servers close theirs after 5 seconds (Node, Apache) to 75 seconds (nginx). */
const patience = Duration.seconds(15)

/** The most connections that wait. */
const most = 256

export class OriginPool extends Context.Service<
  OriginPool,
  {
    /** A connection that waits under this key, the one that was used last; undefined if there is none. */
    readonly take: (key: string) => HttpOrigin | undefined
    /** Keeps a connection. The one that has waited longest is closed, if they are too many. */
    readonly give: (key: string, origin: HttpOrigin) => Effect.Effect<void>
  }
>()("effect-socks/commands/OriginPool") {
  /** Keeps at most a sixteenth of the descriptors. */
  static readonly layer: Layer.Layer<OriginPool> = Layer.effect(
    OriginPool,
    Effect.gen(function* () {
      const pool = new Waiting(Math.min(most, Math.floor((yield* Descriptors.budget) / 16)))
      yield* Effect.addFinalizer(() => Effect.sync(() => pool.clear()))
      return {
        take: (key) => pool.take(key),
        give: (key, origin) =>
          Effect.withFiber((fiber) =>
            Effect.sync(() => pool.give(key, origin, (then) => Deadline.after(fiber, patience, then)))
          )
      }
    })
  )
}

/** The connections that wait, the oldest first. */
class Waiting {
  private readonly limit: number
  private readonly byKey = new Map<string, Array<HttpOrigin>>()
  /** Removes a connection, and calls its deadline off. */
  private readonly removals = new Map<HttpOrigin, () => void>()

  constructor(limit: number) {
    this.limit = limit
  }

  take(key: string): HttpOrigin | undefined {
    const origin = this.byKey.get(key)?.at(-1)
    if (origin) this.remove(origin)
    return origin
  }

  give(key: string, origin: HttpOrigin, after: (then: () => void) => () => void): void {
    const drop = () => this.drop(origin)
    const same = this.byKey.get(key) ?? []
    this.byKey.set(key, same)
    same.push(origin)
    const callOff = after(drop)
    this.removals.set(origin, () => {
      callOff()
      same.splice(same.indexOf(origin), 1)
      if (same.length === 0) this.byKey.delete(key)
    })
    // It is no use any more when the origin ends it, or sends what nobody has asked for.
    origin.watch(drop)
    const [oldest] = this.removals.keys()
    if (this.removals.size > this.limit) this.drop(oldest!)
  }

  clear(): void {
    for (const origin of [...this.removals.keys()]) this.drop(origin)
  }

  private drop(origin: HttpOrigin): void {
    if (this.removals.has(origin)) this.remove(origin)
    origin.close()
  }

  private remove(origin: HttpOrigin): void {
    this.removals.get(origin)!()
    this.removals.delete(origin)
    origin.forget()
  }
}
