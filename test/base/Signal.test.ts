import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Signal from "../../src/base/Signal.ts"

// A signal that nothing else in a test's process takes.
const signal = "SIGURG"
const send = Effect.sync(() => process.emit(signal, signal))

describe("a signal", () => {
  it.effect("is taken if it came before or comes later, and once for several unread signals", () =>
    Effect.gen(function* () {
      const received = yield* Signal.listen(signal)
      yield* send
      yield* send
      yield* received
      const waiting = yield* Effect.forkChild(received)
      yield* Effect.yieldNow
      assert.strictEqual(waiting.pollUnsafe(), undefined)
      yield* send
      yield* Fiber.join(waiting)
    })
  )

  it.effect("has no listener after the scope has closed", () =>
    Effect.gen(function* () {
      const before = process.listenerCount(signal)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Effect.asVoid(Signal.listen(signal))
          assert.strictEqual(process.listenerCount(signal), before + 1)
        })
      )
      assert.strictEqual(process.listenerCount(signal), before)
    })
  )
})
