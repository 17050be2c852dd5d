/**
 * How fast bytes come, and how evenly.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"

export interface Rate {
  /** Bytes a second. */
  readonly rate: number
  /** The longest time without any, in seconds, less what this process itself was late. */
  readonly gap: number
}

/** Sends without end what nobody needs to look at. */
export const pour = (duplex: Duplex): void => {
  const chunk = Buffer.alloc(64 * 1024)
  const more = () => {
    while (!duplex.destroyed && duplex.write(chunk));
  }
  duplex.on("drain", more)
  more()
}

/** What each of these receives in so many seconds, once the first one has been let pass, in which bursts are allowed. */
export const measured = (sinks: ReadonlyArray<Duplex>, seconds: number): Effect.Effect<ReadonlyArray<Rate>> =>
  Effect.gen(function* () {
    const meters = sinks.map((sink) => {
      const meter = { bytes: 0, at: 0, gap: 0 }
      sink.removeAllListeners("data").on("data", (chunk: Buffer) => {
        const now = performance.now()
        if (meter.at > 0) meter.gap = Math.max(meter.gap, now - meter.at)
        meter.at = now
        meter.bytes += chunk.length
      })
      return meter
    })
    yield* Effect.sleep("1 seconds")
    const delay = monitorEventLoopDelay({ resolution: 10 })
    delay.enable()
    const before = meters.map((meter) => {
      meter.gap = 0
      return meter.bytes
    })
    const start = performance.now()
    yield* Effect.sleep(`${seconds} seconds`)
    delay.disable()
    const elapsed = (performance.now() - start) / 1000
    return meters.map(({ bytes, gap }, index) => ({
      rate: (bytes - before[index]!) / elapsed,
      gap: gap / 1000 - delay.max / 1e9
    }))
  })
