/**
 * Requests and their answers: each gets its own, whatever the order, or is told
 * that there is none.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as Requests from "../../src/base/Requests.ts"

describe("Requests", () => {
  /** Some that are sent to `alice` and `bob`, and their numbers. */
  const begun = Effect.fnUntraced(function* (patience?: "30 seconds") {
    const requests = Requests.make<string, string>(patience)
    const sent: Array<number> = []
    const ask = (to: string) =>
      Effect.forkChild(
        requests.ask(to, (id) => void sent.push(id)),
        { startImmediately: true }
      )
    return {
      ...requests,
      sent,
      fibers: [yield* ask("alice"), yield* ask("bob"), yield* ask("alice")] as const
    }
  })

  it.effect("get the answer with their number, once, and only from the process that was asked", () =>
    Effect.gen(function* () {
      const { sent, fibers, answer } = yield* begun()
      const [first, second, third] = sent as [number, number, number]
      assert.isTrue(answer("alice", third, "three"))
      assert.isFalse(answer("alice", third, "again"))
      assert.isFalse(answer("alice", second, "not asked"))
      assert.isFalse(answer("alice", 99, "no such number"))
      assert.isTrue(answer("bob", second, "two"))
      assert.isTrue(answer("alice", first, "one"))
      assert.deepStrictEqual(yield* Fiber.joinAll(fibers), ["one", "two", "three"])
    })
  )

  it.effect("end with the process that was asked, and after a timeout", () =>
    Effect.gen(function* () {
      const { fibers, remove, answer, sent } = yield* begun("30 seconds")
      remove("alice")
      assert.strictEqual(yield* Effect.flip(Fiber.join(fibers[0])), "gone")
      assert.strictEqual(yield* Effect.flip(Fiber.join(fibers[2])), "gone")
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(fibers[1].pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Effect.flip(Fiber.join(fibers[1])), "late")
      for (const id of sent) assert.isFalse(answer("bob", id, "too late"))
    })
  )

  it.effect("are forgotten when interrupted", () =>
    Effect.gen(function* () {
      const { fibers, sent, answer } = yield* begun()
      yield* Fiber.interrupt(fibers[1])
      assert.isFalse(answer("bob", sent[1]!, "too late"))
    })
  )

  it.effect("may be answered while they are sent", () =>
    Effect.gen(function* () {
      const requests = Requests.make<string, number>()
      const doubled = requests.ask("alice", (id) => void requests.answer("alice", id, 2 * id))
      assert.deepStrictEqual([yield* doubled, yield* doubled], [2, 4])
    })
  )
})
