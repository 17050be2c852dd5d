/**
 * Tokens that a worker gets from the primary.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as RateTokens from "../../src/limits/RateTokens.ts"

describe("RateTokens", () => {
  it.effect("are taken once, and only immediately", () =>
    Effect.gen(function* () {
      const sent: Array<RateTokens.TokenRequest> = []
      const tokens = RateTokens.make((wish) => void sent.push(wish))
      assert.isAbove(tokens.take("alice"), 0)
      const first = yield* Effect.forkChild(tokens.ask("alice", 5), { startImmediately: true })
      const second = yield* Effect.forkChild(tokens.ask("alice", 5), { startImmediately: true })
      assert.deepStrictEqual(
        sent.map(({ key, limit }) => [key, limit]),
        [
          ["alice", 5],
          ["alice", 5]
        ]
      )
      tokens.receive({ _tag: "token", id: sent[1]!.id, wait: 200 })
      tokens.receive({ _tag: "token", id: sent[0]!.id, wait: 0 })
      assert.deepStrictEqual(yield* Fiber.join(second), { wait: 200 })
      const more = yield* Fiber.join(first)
      assert.isAbove(tokens.take("alice"), 0)
      if ("release" in more) more.release()
      assert.strictEqual(tokens.take("alice"), 0)
      assert.isAbove(tokens.take("alice"), 0)
    })
  )
})
