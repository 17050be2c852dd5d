/**
 * Memory that many connections took, given back once they are gone.
 *
 * V8 collects while objects are made. After a burst of connections few are made,
 * and tens of megabytes of garbage would stay for hours. A collection stops
 * everything for as long as there is live memory to go through. So there is one only
 * while few connections are open, not often, and not where the last one took long.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as GarbageCollector from "../base/GarbageCollector.ts"
import { Server } from "./Server.ts"

/** Fewer connections at once are no burst. */
const burst = 500

/** Connections that may be open at a collection. */
const mostOpen = 500

/** Seconds for which there have to be few. */
const calmFor = 10

/** Seconds from one collection to the next. */
const every = 60

/** Milliseconds. If a collection has taken longer, the next ones wait until no connection is open. */
const longPause = 50

export interface Bursts {
  /** Takes the number of connections, once a second. Returns whether it is time for a collection. */
  readonly observe: (connections: number) => boolean
  /** Takes how many milliseconds the collection took. */
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

/** Watches the connections of this process, and gives memory back after each burst of them. */
export const run: Effect.Effect<never, never, Server> = Effect.gen(function* () {
  const { census } = yield* Server
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
