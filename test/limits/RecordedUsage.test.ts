/**
 * Usage that is taken from the store of usage and recorded there.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { UsageStoreFailed } from "../../src/Errors.ts"
import * as RecordedUsage from "../../src/limits/RecordedUsage.ts"
import { UsageRecords } from "../../src/usage/UsageRecords.ts"
import * as UsageStore from "../../src/usage/UsageStore.ts"
import { received } from "../support/usage.ts"

const at = (text: string) => Date.parse(text)

const start = (store: UsageStore.UsageStore, resetDay = 1) =>
  Effect.flatMap(Layer.build(UsageRecords.layerOf(store)), (records) =>
    Effect.provideContext(RecordedUsage.make(resetDay), records)
  )

let writes = 0
const write = (store: UsageStore.UsageStore, account: string, day: string, bytes: number) =>
  store.write({
    writer: "other",
    number: ++writes,
    rows: [{ account, day, amount: received(bytes) }]
  })

describe("RecordedUsage", () => {
  it.effect("begins with the usage of the day and the month in the store, by the reset day", () =>
    Effect.gen(function* () {
      const now = at("2026-11-20T12:00:00Z")
      yield* TestClock.setTime(now)
      const store = UsageStore.makeMemory()
      yield* write(store, "user alice", "2026-11-14", 1)
      yield* write(store, "user alice", "2026-11-15", 20)
      yield* write(store, "user alice", "2026-11-20", 300)
      yield* write(store, "rule mail", "2026-11-19", 4000)
      const usage = yield* start(store, 15)
      assert.isTrue(usage.isRecorded)
      assert.deepStrictEqual(usage.of("user alice", now), { day: 300, month: 320 })
      assert.deepStrictEqual(usage.of("rule mail", now), { day: 0, month: 4000 })
      usage.add("user alice", received(5), now)
      assert.deepStrictEqual(usage.of("user alice", now), { day: 305, month: 325 })
      yield* TestClock.adjust("1 second")
      const again = yield* start(store, 1)
      assert.deepStrictEqual(again.of("user alice", now), { day: 305, month: 326 })
    }).pipe(Effect.scoped)
  )

  it.effect("learns the usage that other servers add for accounts in use here", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(at("2026-11-20T12:00:00Z"))
      const store = UsageStore.makeMemory()
      const one = yield* start(store)
      const other = yield* start(store)
      const day = (usage: typeof one) => usage.of("user alice", at("2026-11-20T12:00:00Z")).day
      one.add("user alice", received(100), at("2026-11-20T12:00:00Z"))
      other.add("user alice", received(20), at("2026-11-20T12:00:00Z"))
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual([day(one), day(other)], [120, 120])
    }).pipe(Effect.scoped)
  )

  it.effect("takes another month from the store when the clock comes to it", () =>
    Effect.gen(function* () {
      const now = at("2026-11-01T00:00:00Z")
      yield* TestClock.setTime(now - 1000)
      const store = UsageStore.makeMemory()
      // By a server whose clock is ahead, or before the clock here was set back.
      yield* write(store, "user alice", "2026-11-01", 300)
      const usage = yield* start(store)
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(usage.of("user alice", now).day, 300)
    }).pipe(Effect.scoped)
  )

  it.effect("does not start without its store, and continues counting when the store fails later", () =>
    Effect.gen(function* () {
      const now = at("2026-11-20T23:59:59Z")
      yield* TestClock.setTime(now)
      const store = UsageStore.makeMemory()
      let isDown = true
      const failed = Effect.fail(new UsageStoreFailed({ store: "memory", reason: "no route" }))
      const failing: UsageStore.UsageStore = {
        ...store,
        totals: (...of) => Effect.suspend(() => (isDown ? failed : store.totals(...of))),
        write: (batch) => Effect.suspend(() => (isDown ? failed : store.write(batch)))
      }
      assert.deepInclude(yield* Effect.flip(start(failing)), { path: "memory", reason: "no route" })
      isDown = false
      const usage = yield* start(failing)
      isDown = true
      usage.add("user alice", received(7), now)
      yield* TestClock.adjust("10 seconds")
      usage.add("user alice", received(1), now + 10_000)
      assert.deepStrictEqual(usage.of("user alice", now + 10_000), { day: 1, month: 8 })
      isDown = false
      yield* write(store, "user alice", "2026-11-21", 100)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(usage.of("user alice", now + 20_000).day, 101)
    }).pipe(Effect.scoped)
  )
})
