/**
 * Relays bytes between a client and its target until both directions have ended.
 *
 * Each direction ends by itself: a FIN is passed on, and the other direction goes on. RST on one side becomes RST on
 * the other side. When one side does not read, the other side is not read either, so a session holds a bounded number
 * of bytes.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { LiveSet } from "../base/LiveSet.ts"
import { type Ending, type Ends, RelayPair } from "./RelayPair.ts"
import { NetworkSettings } from "./Settings.ts"

export type { Ending, Ends, Traffic } from "./RelayPair.ts"

/**
 * How bytes move between a client and a target.
 *
 * **When to use**
 *
 * Replace it to see or to change what is relayed; it takes over both connections, paused, and says how the session
 * ended.
 *
 * **Example** (A relay that moves nothing)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Relay, Server } from "effect-socks"
 *
 * // Breaks off every session at once.
 * const NoRelay = Layer.succeed(Relay, {
 *   run: ({ client, target }) =>
 *     Effect.sync(() => {
 *       client.reset()
 *       target.reset()
 *       return "denied" as const
 *     })
 * })
 *
 * const ProxyLive = Server.layer().pipe(Layer.provide(NoRelay))
 * ```
 */
export class Relay extends Context.Service<
  Relay,
  {
    /** Relays until both directions have ended, an end is reset, or a timeout passes. Returns how the relay ended. */
    readonly run: (ends: Ends) => Effect.Effect<Ending>
  }
>()("effect-socks/network/Relay") {
  static readonly layer: Layer.Layer<Relay, never, NetworkSettings> = Layer.effect(
    Relay,
    Effect.gen(function* () {
      const { idleTimeout, halfCloseTimeout } = yield* NetworkSettings
      // One timer for all sessions: a session has no timer of its own, and a chunk costs one assignment. A tick is at
      // most a tenth of each timeout, down to 10 ms.
      const tick = Duration.clamp(
        Duration.min(idleTimeout, halfCloseTimeout).pipe(Duration.divideUnsafe(10)),
        {
          minimum: Duration.millis(10),
          maximum: Duration.seconds(1)
        }
      )
      const ticks = (timeout: Duration.Duration) =>
        Math.ceil(Duration.toMillis(timeout) / Duration.toMillis(tick))
      const watch: Watch = {
        now: 0,
        idle: ticks(idleTimeout),
        halfClosed: ticks(halfCloseTimeout),
        quiet: ticks(quietTime),
        rest: ticks(restTime),
        pairs: new LiveSet()
      }
      yield* Effect.forkScoped(
        Effect.schedule(
          Effect.sync(() => sweep(watch)),
          Schedule.spaced(tick)
        )
      )
      return { run: (ends) => run(ends, watch) }
    })
  )
}

/** All running relays, and the present time and the timeouts in ticks. */
interface Watch {
  now: number
  readonly idle: number
  readonly halfClosed: number
  readonly quiet: number
  readonly rest: number
  readonly pairs: LiveSet<RelayPair>
}

/** The time without a byte after which TCP keep-alive is switched on. Short sessions save the system call. */
const quietTime = Duration.seconds(10)

/** The time without a byte after which a session gives up its read buffers. */
const restTime = Duration.seconds(5)

const sweep = (watch: Watch): void => {
  watch.now++
  for (const pair of watch.pairs) {
    if (pair.isHeld()) pair.movedAt = watch.now
    const quiet = watch.now - pair.movedAt
    // Equal, so that `rest` is called once in each quiet time.
    if (quiet === watch.rest) pair.rest()
    if (pair.isHalfClosed && quiet > watch.halfClosed) pair.end("half-closed")
    else if (quiet > watch.idle) pair.end("idle")
    else if (quiet > watch.quiet && !pair.isKeptAlive) pair.keepAlive()
  }
}

const run = (ends: Ends, watch: Watch): Effect.Effect<Ending> =>
  Effect.callback((resume) => takeOn(new RelayPair(ends, watch), watch, resume))

/** Registers a pair until its end, and calls `resume` then. Returns the effect that breaks the relay off. */
const takeOn = (
  pair: RelayPair,
  { pairs }: Watch,
  resume: (ending: Effect.Effect<Ending>) => void
): Effect.Effect<void> => {
  const place = pairs.add(pair)
  pair.onEnd = (ending) => {
    pairs.delete(pair, place)
    resume(Effect.succeed(ending))
  }
  return Effect.sync(() => {
    pairs.delete(pair, place)
    pair.end("finished")
  })
}
