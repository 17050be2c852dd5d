/**
 * What sessions use, as it is recorded: each session once, with its bytes and its time.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { Quotas } from "../../src/limits/Quotas.ts"
import * as Config from "../../src/server/Config.ts"
import { Events } from "../../src/session/Events.ts"
import { SessionRegistry } from "../../src/session/SessionRegistry.ts"
import { UsageRecords } from "../../src/usage/UsageRecords.ts"
import * as UsageStore from "../../src/usage/UsageStore.ts"
import { begin } from "../support/sessions.ts"

const recording = (store: UsageStore.UsageStore, values: Partial<Config.Values> = {}) =>
  SessionRegistry.layer.pipe(
    Layer.provide(Layer.orDie(Quotas.layerRecorded)),
    Layer.provideMerge(UsageRecords.layerOf(store)),
    Layer.provideMerge(Events.layer),
    Layer.provideMerge(Config.layer(values))
  )

const all = { from: "2026-11-01", to: "2026-12-31" }

describe("usage of sessions", () => {
  it.effect("is in the store within a second, while they go on", () => {
    const store = UsageStore.makeMemory()
    return Effect.gen(function* () {
      const { session, close } = yield* begin({ identity: { user: "alice" } })
      const another = yield* begin({ identity: { user: "alice" } })
      yield* another.close
      session.traffic.sent += 5
      session.traffic.received += 60
      yield* TestClock.adjust("900 millis")
      const [record] = yield* store.read(all)
      assert.deepInclude(record, { user: "alice", day: "2026-11-29", sent: 5, received: 60, sessions: 2 })
      assert.isAtLeast(record!.duration, 400)
      session.traffic.sent += 1
      yield* TestClock.adjust("9100 millis")
      yield* close
      yield* TestClock.adjust("1 second")
      const total = { day: "2026-11-29", user: "alice", sent: 6, received: 60, sessions: 2, duration: 10_000 }
      assert.deepStrictEqual(yield* store.read(all), [total])
    }).pipe(Effect.provide(recording(store)), since("2026-11-29T12:00:00Z"))
  })

  it.effect("is recorded by day, and one session counts once", () => {
    const store = UsageStore.makeMemory()
    return Effect.gen(function* () {
      const { session, close } = yield* begin({ identity: { user: "alice" } })
      session.traffic.sent += 5
      yield* TestClock.adjust("2 seconds")
      session.traffic.sent += 7
      yield* TestClock.adjust("3 seconds")
      yield* close
      yield* TestClock.adjust("1 second")
      const records = yield* store.read(all)
      assert.deepStrictEqual(
        records.map(({ day, sent, sessions }) => [day, sent, sessions]),
        [
          ["2026-11-29", 5, 1],
          ["2026-11-30", 7, 0]
        ]
      )
      assert.strictEqual(
        records.reduce((sum, { duration }) => sum + duration, 0),
        5000
      )
    }).pipe(Effect.provide(recording(store)), since("2026-11-29T23:59:58Z"))
  })

  it.effect(
    "of clients without a user counts for one account, and rules have accounts for their quotas",
    () => {
      const store = UsageStore.makeMemory()
      return Effect.gen(function* () {
        const { chargeRule } = yield* SessionRegistry
        for (const host of ["203.0.113.1", "203.0.113.2"]) {
          const { session, close } = yield* begin({ host })
          yield* chargeRule(session, { verdict: "allow", rule: "mail", limits: { dailyQuota: 1000 } })
          yield* chargeRule(session, { verdict: "allow", rule: "free", limits: { sessions: 10 } })
          session.traffic.received += 50
          yield* close
        }
        yield* TestClock.adjust("1 second")
        const [record, ...others] = yield* store.read(all)
        assert.deepStrictEqual(others, [])
        assert.deepInclude(record, { user: undefined, received: 100, sessions: 2 })
        const november = { day: "2026-11-29", since: "2026-11-01", until: "2026-11-30" }
        assert.deepStrictEqual(
          (yield* store.totals(november)).map(({ account, day }) => [account, day]),
          [
            ["anonymous", 100],
            ["rule mail", 100]
          ]
        )
      }).pipe(Effect.scoped, Effect.provide(recording(store)), since("2026-11-29T12:00:00Z"))
    }
  )

  it.effect("counts for a quota that comes later", () => {
    const store = UsageStore.makeMemory()
    const use = Effect.gen(function* () {
      const { session, close } = yield* begin({ identity: { user: "alice" } })
      session.traffic.received += 100
      yield* close
    })
    return Effect.gen(function* () {
      yield* Effect.provide(use, recording(store))
      const limited = Effect.provide(Effect.flip(use), recording(store, { monthlyQuota: 100 }))
      assert.propertyVal(yield* limited, "_tag", "QuotaExceeded")
    }).pipe(since("2026-11-29T12:00:00Z"))
  })
})

const since =
  (time: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.andThen(TestClock.setTime(Date.parse(time)), effect)
