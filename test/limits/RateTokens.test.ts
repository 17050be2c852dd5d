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

  it.effect("come ahead with the first request, and end", () =>
    Effect.gen(function* () {
      const sent: Array<RateTokens.TokenRequest> = []
      let now = 0
      const tokens = RateTokens.make(
        (wish) => void sent.push(wish),
        () => now
      )
      const ask = Effect.forkChild(tokens.ask("alice", 100), { startImmediately: true })
      const asking = [yield* ask, yield* ask]
      assert.deepStrictEqual(
        sent.map(({ mayHaveMore }) => mayHaveMore),
        [true, false]
      )
      tokens.receive({
        _tag: "token",
        id: sent[0]!.id,
        wait: 0,
        ahead: { key: "alice", count: 3, until: 400 }
      })
      tokens.receive({ _tag: "token", id: sent[1]!.id, wait: 0 })
      for (const one of asking) yield* Fiber.join(one)
      assert.deepStrictEqual([tokens.take("alice"), tokens.take("bob"), tokens.take("alice")], [0, 1, 0])
      now = 400
      assert.strictEqual(tokens.take("alice"), 1)
      yield* ask
      assert.isTrue(sent[2]!.mayHaveMore)
    })
  )
})
