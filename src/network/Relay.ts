/**
 * Moving bytes between a client and its target until both are done.
 *
 * Each direction ends by itself: a FIN is passed on and the other direction
 * lives. What was cut off looks cut off: RST on one side becomes RST on the
 * other. A side that does not read stops the other side's sending, so a session
 * holds a bounded number of bytes however much is sent.
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
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
    /** Moves bytes until both directions have ended, or one end is reset or has been quiet for too long. */
    readonly run: (ends: Ends) => Effect.Effect<Ending>
  }
>()("effect-socks/network/Relay") {
  static readonly layer: Layer.Layer<Relay, never, NetworkSettings> = Layer.effect(
    Relay,
    Effect.gen(function* () {
      const { idleTimeout, halfCloseTimeout } = yield* NetworkSettings
      // One clock for all sessions, so that a chunk costs one assignment and no
      // session has a timer. Its tick is fine enough to keep timeouts to a tenth.
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
        links: new Set()
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

/** All running relays, and the time in ticks. */
interface Watch {
  now: number
  readonly idle: number
  readonly halfClosed: number
  readonly quiet: number
  readonly rest: number
  readonly links: Set<RelayPair>
}

/** Without a byte for so long, a session counts as one that lasts; what it takes to keep it is not spent on the others. */
const quietTime = Duration.seconds(10)

/** Without a byte for so long, a session gives up the memory that it read into. */
const restTime = Duration.seconds(5)

const sweep = (watch: Watch): void => {
  watch.now++
  for (const link of watch.links) {
    if (link.isHeld()) link.movedAt = watch.now
    const quiet = watch.now - link.movedAt
    // Once each time that it is quiet.
    if (quiet === watch.rest) link.rest()
    if (link.isHalfClosed && quiet > watch.halfClosed) link.end("half-closed")
    else if (quiet > watch.idle) link.end("idle")
    else if (quiet > watch.quiet && !link.isKeptAlive) link.keepAlive()
  }
}

const run = (ends: Ends, watch: Watch): Effect.Effect<Ending> =>
  Effect.callback((resume) => takeOn(new RelayPair(ends, watch), watch, resume))

/** Takes a link on, without what it was made of, and calls `resume` at its end. Returns what breaks it off. */
const takeOn = (
  link: RelayPair,
  { links }: Watch,
  resume: (ending: Effect.Effect<Ending>) => void
): Effect.Effect<void> => {
  link.onEnd = (ending) => {
    links.delete(link)
    resume(Effect.succeed(ending))
  }
  links.add(link)
  return Effect.sync(() => {
    links.delete(link)
    link.end("finished")
  })
}
