/**
 * Usage that waits for its store.
 */
import { assert, describe, it } from "@effect/vitest"
import * as PendingUsage from "../../src/usage/PendingUsage.ts"
import { received } from "../support/usage.ts"

const noon = Date.parse("2026-11-29T12:00:00Z")
const day = 86_400_000

describe("PendingUsage", () => {
  it("sums by day and account, until it is taken", () => {
    const pending = PendingUsage.make(10)
    pending.add("user alice", { sent: 1, received: 2, sessions: 1, duration: 3 }, noon)
    pending.add("user alice", { sent: 10, received: 20, sessions: 0, duration: 30 }, noon)
    pending.add("user bob", received(5), noon)
    pending.add("user alice", received(7), noon + day)
    const rows = [
      {
        day: "2026-11-29",
        account: "user alice",
        amount: { sent: 11, received: 22, sessions: 1, duration: 33 }
      },
      { day: "2026-11-29", account: "user bob", amount: received(5) },
      { day: "2026-11-30", account: "user alice", amount: received(7) }
    ]
    assert.strictEqual(pending.size(), 3)
    assert.deepStrictEqual(pending.rows(), rows)
    assert.deepStrictEqual(pending.take(), rows)
    assert.deepStrictEqual([pending.size(), pending.take()], [0, []])
  })

  it("is bounded, continues with its accounts, and reports losses", () => {
    const pending = PendingUsage.make(2)
    for (const name of ["a", "b", "c", "d"]) pending.add(name, received(10), noon)
    pending.add("a", received(1), noon)
    assert.deepStrictEqual(
      pending.rows().map(({ account, amount }) => [account, amount.received]),
      [
        ["a", 11],
        ["b", 10]
      ]
    )
    assert.deepStrictEqual([pending.takeLost(), pending.takeLost()], [20, 0])
  })
})
