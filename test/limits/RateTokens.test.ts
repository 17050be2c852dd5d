/**
 * Tokens that a worker gets from the primary.
 */
import { assert, describe, it } from "@effect/vitest"
import * as RateTokens from "../../src/limits/RateTokens.ts"

describe("RateTokens", () => {
  it("are taken once, by who takes them at once", () => {
    const sent: Array<RateTokens.Wish> = []
    const tokens = RateTokens.make((wish) => void sent.push(wish))
    assert.isAbove(tokens.take("alice"), 0)
    const waits: Array<number> = []
    tokens.ask("alice", 5, (more) => {
      if ("release" in more) more.release()
      assert.strictEqual(tokens.take("alice"), 0)
    })
    tokens.ask("alice", 5, (more) => "wait" in more && waits.push(more.wait))
    assert.deepStrictEqual(
      sent.map(({ key, limit }) => [key, limit]),
      [
        ["alice", 5],
        ["alice", 5]
      ]
    )
    tokens.receive({ _tag: "token", id: sent[1]!.id, wait: 200 })
    tokens.receive({ _tag: "token", id: sent[0]!.id, wait: 0 })
    assert.deepStrictEqual(waits, [200])
    assert.isAbove(tokens.take("alice"), 0)
  })
})
