/**
 * What every store of usage has to do, whatever database it is.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Total, UsageStore } from "../../src/usage/UsageStore.ts"
import { received } from "./usage.ts"

const november = { day: "2026-11-29", since: "2026-11-01", until: "2026-11-30" }

/** Checks an empty store. */
export const conforms = Effect.fnUntraced(function* (store: UsageStore) {
  const row = (account: string, day: string, bytes: number) => ({ account, day, amount: received(bytes) })
  const batch = {
    writer: "one",
    number: 1,
    at: Date.parse("2026-11-29"),
    rows: [
      row("user alice", "2026-10-31", 1),
      row("user alice", "2026-11-01", 20),
      {
        account: "user alice",
        day: "2026-11-29",
        amount: { sent: 300, received: 2 ** 52, sessions: 2, duration: 1500 }
      },
      row("user bob", "2026-11-30", 4000),
      row("rule to mail", "2026-11-29", 50_000),
      row("anonymous", "2026-11-29", 600_000)
    ]
  }
  yield* store.write(batch)
  // Once, however often: the answer to a commit can be lost.
  yield* store.write(batch)
  const alice = row("user alice", "2026-11-29", 7)
  yield* store.write({ ...batch, number: 2, rows: [alice] })
  yield* store.write({ ...batch, writer: "other", rows: [alice] })
  // An earlier batch was written, too.
  yield* store.write({ ...batch, rows: [alice] })

  const sorted = (totals: ReadonlyArray<Total>) =>
    [...totals].sort((one, other) => (one.account < other.account ? -1 : 1))
  const today = 300 + 2 ** 52 + 14
  assert.deepStrictEqual(sorted(yield* store.totals(november)), [
    { account: "anonymous", day: 600_000, month: 600_000 },
    { account: "rule to mail", day: 50_000, month: 50_000 },
    { account: "user alice", day: today, month: today + 20 },
    { account: "user bob", day: 0, month: 4000 }
  ])
  assert.deepStrictEqual(sorted(yield* store.totals(november, ["user bob", "user carol", "rule to mail"])), [
    { account: "rule to mail", day: 50_000, month: 50_000 },
    { account: "user bob", day: 0, month: 4000 }
  ])
  assert.deepStrictEqual(yield* store.totals(november, []), [])

  const record = (user: string | undefined, day: string, bytes: number) => ({
    user,
    day,
    ...received(bytes)
  })
  const aliceToday = {
    user: "alice",
    day: "2026-11-29",
    sent: 300,
    received: 2 ** 52 + 14,
    sessions: 2,
    duration: 1500
  }
  assert.deepStrictEqual(yield* store.read({ from: "2026-11-01", to: "2026-11-30" }), [
    record("alice", "2026-11-01", 20),
    record(undefined, "2026-11-29", 600_000),
    aliceToday,
    record("bob", "2026-11-30", 4000)
  ])
  assert.deepStrictEqual(yield* store.read({ from: "2026-10-01", to: "2026-11-01", user: "alice" }), [
    record("alice", "2026-10-31", 1),
    record("alice", "2026-11-01", 20)
  ])
  // No name is a statement, and the empty one is nobody's.
  assert.deepStrictEqual(yield* store.read({ from: "2026-11-01", to: "2026-11-30", user: "' OR 1=1 --" }), [])
  assert.deepStrictEqual(yield* store.read({ from: "2026-11-01", to: "2026-11-30", user: "" }), [])

  // More accounts than a statement has room for.
  const many = Array.from({ length: 1234 }, (_, i) => row(`user many ${i}`, "2026-11-28", i))
  yield* store.write({ ...batch, number: 3, rows: many })
  const some = yield* store.totals(
    november,
    many.map(({ account }) => account)
  )
  assert.strictEqual(
    some.reduce((sum, { month }) => sum + month, 0),
    (1233 * 1234) / 2
  )

  yield* store.prune("2026-11-29")
  assert.deepStrictEqual(yield* store.read({ from: "2020-01-01", to: "2030-01-01", user: "alice" }), [
    aliceToday
  ])
  yield* store.write({ ...batch, number: 4, at: Date.parse("2026-11-30"), rows: [alice] })
  assert.strictEqual((yield* store.totals(november, ["user alice"]))[0]?.day, today + 7)
})
