/**
 * What every store of usage has to do, whatever database it is.
 */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Total, UsageStore } from "../../src/usage/UsageStore.ts"
import { fields } from "./errors.ts"
import { received } from "./usage.ts"

const november = { day: "2026-11-29", since: "2026-11-01", until: "2026-11-30" }

/** Checks an empty store. */
export const conforms = Effect.fnUntraced(function* (store: UsageStore) {
  const row = (account: string, day: string, bytes: number) => ({ account, day, amount: received(bytes) })
  const batch = {
    writer: "one",
    number: 1,
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
  assert.closeTo(yield* store.now, yield* Clock.currentTimeMillis, 60_000)
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

  yield* summed(store)

  yield* store.prune("2026-11-29")
  assert.deepStrictEqual(yield* store.read({ from: "2020-01-01", to: "2030-01-01", user: "alice" }), [
    aliceToday
  ])
  yield* store.write({ ...batch, number: 4, rows: [alice] })
  assert.strictEqual((yield* store.totals(november, ["user alice"]))[0]?.day, today + 7)
})

/** Months that are summed up. */
const summed = Effect.fnUntraced(function* (store: UsageStore) {
  const row = (account: string, day: string, bytes: number) => ({ account, day, amount: received(bytes) })
  const batch = { writer: "of months", number: 1 }
  const days = ["2020-01-31", "2020-02-01", "2020-02-29", "2020-03-01"]
  const rows = days.flatMap((day, index) => [
    row("user alice", day, 10 ** index),
    row("rule to mail", day, 5),
    row("anonymous", day, 7)
  ])
  yield* store.write({ ...batch, rows })
  const alice = (from: string, to: string) =>
    Effect.map(store.read({ from, to, user: "alice" }), (all) =>
      all.map(({ day, received }) => [day, received])
    )
  // As often, and by as many servers at once, as you like.
  yield* Effect.all(
    Array.from({ length: 4 }, () => store.rollUp("2020-03-01")),
    { concurrency: "unbounded" }
  )
  yield* store.rollUp("2020-03-01")
  const spring = [
    ["2020-01", 1],
    ["2020-02", 110],
    ["2020-03-01", 1000]
  ]
  assert.deepStrictEqual(yield* alice("2020-01-01", "2020-03-31"), spring)
  assert.deepStrictEqual(yield* alice("2020-02-01", "2020-02-29"), [spring[1]])
  assert.deepStrictEqual(yield* alice("2020-03-01", "2020-03-01"), [spring[2]])
  assert.deepStrictEqual(yield* alice("2020-02-02", "2020-02-29").pipe(Effect.flip, Effect.map(fields)), {
    _tag: "UsageSummedUp",
    month: "2020-02"
  })
  assert.strictEqual((yield* Effect.flip(alice("2020-01-01", "2020-02-28")))._tag, "UsageSummedUp")
  assert.strictEqual((yield* Effect.flip(alice("2020-02-10", "2020-02-20")))._tag, "UsageSummedUp")
  const users = yield* store.read({ from: "2020-02-01", to: "2020-02-29" })
  assert.deepStrictEqual(
    users.map(({ user, received }) => [user, received]),
    [
      [undefined, 14],
      ["alice", 110]
    ]
  )

  // What comes late is added to the month, at the next time.
  yield* store.write({ ...batch, number: 2, rows: [row("user alice", "2020-02-10", 3)] })
  assert.deepStrictEqual(yield* alice("2020-02-01", "2020-02-29"), [spring[1], ["2020-02-10", 3]])
  yield* store.rollUp("2020-03-01")
  assert.deepStrictEqual(yield* alice("2020-02-01", "2020-02-29"), [["2020-02", 113]])

  // No quota counts less for it: of a month that is summed up too early, all of it.
  const month = { day: "2020-02-20", since: "2020-02-15", until: "2020-03-14" }
  assert.deepStrictEqual(yield* store.totals(month, ["user alice"]), [
    { account: "user alice", day: 0, month: 1113 }
  ])

  // A month is removed with the last of its days.
  yield* store.prune("2020-02-29")
  assert.deepStrictEqual(yield* alice("2020-01-01", "2020-03-31"), [["2020-02", 113], spring[2]])
  yield* store.prune("2020-04-01")
  assert.deepStrictEqual(yield* alice("2020-01-01", "2020-03-31"), [])
})
