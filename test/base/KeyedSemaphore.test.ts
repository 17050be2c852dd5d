import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as KeyedSemaphore from "../../src/base/KeyedSemaphore.ts"

const turns = Effect.repeat(Effect.yieldNow, { times: 20 })

describe("KeyedSemaphore", () => {
  it.effect("runs a bounded number for each key, and delays no other key", () =>
    Effect.gen(function* () {
      const inTurn = KeyedSemaphore.make(2)
      const end = yield* Deferred.make<void>()
      const running: Array<string> = []
      const run = (key: string) =>
        inTurn(
          key,
          Effect.suspend(() => {
            running.push(key)
            return Deferred.await(end)
          })
        )
      const fibers = yield* Effect.forEach(["a", "a", "a", "b"], (key) => Effect.forkChild(run(key)))
      yield* turns
      assert.deepStrictEqual(running, ["a", "a", "b"])
      yield* Deferred.succeed(end, undefined)
      yield* Fiber.joinAll(fibers)
      assert.lengthOf(running, 4)
    })
  )

  it.effect("continues after a failure, and after an interrupted wait", () =>
    Effect.gen(function* () {
      const inTurn = KeyedSemaphore.make(1)
      assert.strictEqual(yield* Effect.flip(inTurn("a", Effect.fail("wrong"))), "wrong")
      const first = yield* Effect.forkChild(inTurn("a", Effect.never))
      const second = yield* Effect.forkChild(inTurn("a", Effect.never))
      const third = yield* Effect.forkChild(inTurn("a", Effect.succeed("at last")))
      yield* turns
      yield* Fiber.interrupt(second)
      yield* Fiber.interrupt(first)
      assert.strictEqual(yield* Fiber.join(third), "at last")
    })
  )
})
