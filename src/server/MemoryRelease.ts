/**
 * Collects garbage after a burst of connections.
 *
 * V8 collects garbage while objects are allocated. After a burst few objects are allocated, and tens of megabytes of
 * garbage would stay for hours. A collection stops the process, the longer the more memory is live. So this file
 * collects only while few connections are open, at most once a minute; and only without connections if the last
 * collection took long.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as GarbageCollector from "../base/GarbageCollector.ts"
import { RunningServer } from "./RunningServer.ts"

/** The least concurrent connections of a burst. */
const burst = 500

/** The most open connections at a collection. */
const mostOpen = 500

/** Seconds with few connections before a collection. */
const calmFor = 10

/** Seconds between two collections. */
const every = 60

/** Milliseconds. After a collection that took longer, the next collections wait until no connection is open. */
const longPause = 50

export interface Bursts {
  /** To be called once a second with the number of connections. Returns whether to collect now. */
  readonly observe: (connections: number) => boolean
  /** To be called with the duration of a collection, in milliseconds. */
  readonly collected: (pause: number) => void
}

export const bursts = (): Bursts => {
  let peak = 0
  let calm = 0
  let since = every
  let most = mostOpen
  return {
    observe: (connections) => {
      since++
      peak = Math.max(peak, connections)
      const isCalm = peak >= burst && connections <= Math.min(most, peak / 4)
      calm = isCalm ? calm + 1 : 0
      if (calm < calmFor || since < every) return false
      peak = connections
      calm = 0
      since = 0
      return true
    },
    collected: (pause) => {
      most = pause > longPause ? 0 : mostOpen
    }
  }
}

/** Watches the connections of this process, and collects garbage after each burst. */
export const run: Effect.Effect<never, never, RunningServer> = Effect.gen(function* () {
  const { census } = yield* RunningServer
  const { observe, collected } = bursts()
  const look = Effect.gen(function* () {
    const { sessions, handshakes } = yield* census
    if (!observe(sessions + handshakes)) return
    const pause = GarbageCollector.collect()
    collected(pause)
    yield* Effect.logDebug("garbage collected after a burst of connections", { pause: Math.ceil(pause) })
  })
  return yield* Effect.andThen(Effect.schedule(look, Schedule.spaced("1 second")), Effect.never)
})
