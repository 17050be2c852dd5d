/**
 * The metrics of a process: its memory, its CPU time, and the delay of its event loop.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { version } from "../base/Version.ts"
import { CurrentTransport } from "../network/Transports.ts"
import { ofProcess } from "./Definitions.ts"
import type { Meters } from "./Meters.ts"
import { Histogram, read } from "./Series.ts"

/** Measures this process until the layer is released. */
export const layer = ({ context }: Meters): Layer.Layer<never> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { name } = yield* CurrentTransport
      const startedAt = (yield* Clock.currentTimeMillis) / 1000 - process.uptime()
      const memory = (kind: "rss" | "heapUsed" | "external") => () => process.memoryUsage()[kind]
      read(ofProcess.info, context, [version(), name, process.versions.node], () => 1)
      read(ofProcess.startTime, context, [], () => startedAt)
      read(ofProcess.cpu, context, [], () => {
        const { user, system } = process.cpuUsage()
        return (user + system) / 1e6
      })
      read(ofProcess.memory, context, ["resident"], process.memoryUsage.rss)
      read(ofProcess.memory, context, ["heap"], memory("heapUsed"))
      read(ofProcess.memory, context, ["external"], memory("external"))
      yield* Effect.forkScoped(watchDelay(new Histogram(ofProcess.delay, context)))
    })
  )

/** Milliseconds between two measurements. */
const interval = 100

/** Measures how late a timer is, again and again. */
const watchDelay = Effect.fnUntraced(function* (delay: Histogram) {
  const clock = yield* Effect.clockWith(Effect.succeed)
  while (true) {
    const startedAt = clock.monotonicTimeNanosUnsafe()
    yield* Effect.sleep(interval)
    const late = Number(clock.monotonicTimeNanosUnsafe() - startedAt) / 1e6 - interval
    delay.observe(Math.max(0, late) / 1000)
  }
})
