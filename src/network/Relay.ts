/**
 * Moving bytes between a client and its target until both are done.
 *
 * Each direction ends by itself: a FIN is passed on and the other direction
 * lives. What was cut off looks cut off: RST on one side becomes RST on the
 * other. A side that does not read stops the other side's sending, so a session
 * holds a bounded number of bytes however much is sent.
 */
import type { Duplex } from "node:stream"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { Config } from "../config/Config.ts"
import { reset } from "./Duplexes.ts"

/** Bytes moved so far, kept up to date while they move. */
export interface Traffic {
  /** From the client to the target. */
  sent: number
  /** From the target to the client. */
  received: number
}

/** How a relay came to its end. */
export type Ending = "finished" | "client reset" | "target reset" | "idle" | "half-closed"

/** What is to be connected, both ends paused. */
export interface Ends {
  readonly client: Duplex
  readonly target: Duplex
  /** What the client sent ahead of its session. */
  readonly early: Uint8Array
  readonly traffic: Traffic
}

export class Relay extends Context.Service<
  Relay,
  {
    /** Moves bytes until both directions have ended, or one end is reset or has been quiet for too long. */
    readonly run: (ends: Ends) => Effect.Effect<Ending>
  }
>()("effect-socks/network/Relay") {
  static readonly layer: Layer.Layer<Relay, never, Config> = Layer.effect(
    Relay,
    Effect.gen(function* () {
      const { idleTimeout, halfCloseTimeout } = yield* Config
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
  readonly links: Set<Link>
}

/** What the watch needs to know of one relay. */
interface Link {
  movedAt: number
  isHalfClosed: boolean
  readonly end: (ending: Ending) => void
}

const sweep = (watch: Watch): void => {
  watch.now++
  for (const link of watch.links) {
    const quiet = watch.now - link.movedAt
    if (link.isHalfClosed && quiet > watch.halfClosed) link.end("half-closed")
    else if (quiet > watch.idle) link.end("idle")
  }
}

const run = ({ client, target, early, traffic }: Ends, watch: Watch): Effect.Effect<Ending> =>
  Effect.callback((resume) => {
    let ending: Ending = "finished"
    let open = 2

    const end = (reason: Ending) => {
      if (ending === "finished") ending = reason
      reset(client)
      reset(target)
    }
    const link: Link = { movedAt: watch.now, isHalfClosed: false, end }

    const attach = (source: Duplex, sink: Duplex, count: (bytes: number) => void, cutOff: Ending) => {
      const limit = sink.writableHighWaterMark
      source.on("data", (chunk: Buffer) => {
        count(chunk.length)
        link.movedAt = watch.now
        sink.write(chunk)
        // Not what `write` returns: that is false for every large chunk, even one
        // that the kernel has taken whole.
        if (sink.writableLength > limit) source.pause()
      })
      sink.on("drain", () => source.resume())

      const finished = () => {
        link.isHalfClosed = true
        link.movedAt = watch.now
        sink.end()
      }
      if (source.readableEnded) finished()
      else source.on("end", finished)

      source.on("error", () => {
        if (ending === "finished") ending = cutOff
      })
      const closed = () => {
        if (!source.readableEnded) end(cutOff)
        // A side that had sent all it had and then broke has cut nothing off: the
        // other one still gets the rest, and what it sends goes nowhere.
        else if (!source.writableFinished) sink.removeAllListeners("data").resume()
        if (--open > 0) return
        watch.links.delete(link)
        resume(Effect.succeed(ending))
      }
      if (source.destroyed) closed()
      else source.once("close", closed)
    }

    watch.links.add(link)
    if (early.length > 0) {
      traffic.sent += early.length
      target.write(early)
    }
    attach(client, target, (bytes) => (traffic.sent += bytes), "client reset")
    attach(target, client, (bytes) => (traffic.received += bytes), "target reset")
    client.resume()
    target.resume()

    return Effect.sync(() => {
      watch.links.delete(link)
      end("finished")
    })
  })
