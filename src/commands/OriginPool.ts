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
import { type Entry, Queue } from "../base/Queue.ts"
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
          Effect.withFiber((fiber) => {
            pool.give(key, origin, (then) => Deadline.after(fiber, patience, then))
            return Effect.void
          })
      }
    })
  )
}

interface Kept {
  readonly key: string
  readonly origin: HttpOrigin
  /** Calls its deadline off. */
  readonly callOff: () => void
}

/** The connections that wait. */
class Waiting {
  private readonly limit: number
  /** The oldest first. */
  private readonly all = new Queue<Kept>()
  private count = 0
  /**
   * The connections of each key, the oldest first. A key whose connections are all in use stays, as most come back soon:
   * `LiveSet` says what is wrong with a Map there.
   */
  private readonly byKey = new Map<string, Array<Entry<Kept>>>()

  constructor(limit: number) {
    this.limit = limit
  }

  take(key: string): HttpOrigin | undefined {
    const entry = this.byKey.get(key)?.at(-1)
    if (entry === undefined) return undefined
    this.remove(entry)
    return entry.item.origin
  }

  give(key: string, origin: HttpOrigin, after: (then: () => void) => () => void): void {
    const drop = () => this.drop(entry)
    const entry = this.all.add({ key, origin, callOff: after(drop) })
    this.count++
    this.withKey(key).push(entry)
    // It is no use any more when the origin ends it, or sends what nobody has asked for.
    origin.watch(drop)
    if (this.count > this.limit) this.drop(this.all.first!)
  }

  clear(): void {
    for (let first = this.all.first; first !== undefined; first = this.all.first) this.drop(first)
  }

  private withKey(key: string): Array<Entry<Kept>> {
    const known = this.byKey.get(key)
    if (known !== undefined) return known
    if (this.byKey.size > 2 * this.limit) {
      for (const [other, { length }] of this.byKey) if (length === 0) this.byKey.delete(other)
    }
    const same: Array<Entry<Kept>> = []
    this.byKey.set(key, same)
    return same
  }

  private drop(entry: Entry<Kept>): void {
    const { key, origin } = entry.item
    this.remove(entry)
    if (this.byKey.get(key)?.length === 0) this.byKey.delete(key)
    origin.close()
  }

  private remove(entry: Entry<Kept>): void {
    if (!entry.isIn) return
    const { key, origin, callOff } = entry.item
    this.all.delete(entry)
    this.count--
    const same = this.byKey.get(key)!
    same.splice(same.indexOf(entry), 1)
    callOff()
    origin.forget()
  }
}
