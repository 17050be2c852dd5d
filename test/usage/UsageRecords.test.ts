/**
 * Which store the settings name, and how long it keeps a day.
 */
import { readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import * as Config from "../../src/server/Config.ts"
import { locate, UsageRecords, UsageUpkeep } from "../../src/usage/UsageRecords.ts"
import * as UsageStore from "../../src/usage/UsageStore.ts"
import { fields } from "../support/errors.ts"
import * as Temporary from "../support/temporary.ts"
import { received } from "../support/usage.ts"

const records = (values: Partial<Config.Values>) =>
  Effect.map(
    Layer.build(Layer.provide(Layer.fresh(UsageRecords.layer), Config.layer(values))),
    Context.get(UsageRecords)
  )

const noon = Date.parse("2026-11-29T12:00:00Z")
const today = { from: "2026-11-29", to: "2026-11-29" }

describe("UsageRecords", () => {
  it("are in the state directory by default", () => {
    const sqlite = (path: string) => ({ _tag: "sqlite", path }) as const
    assert.deepStrictEqual(
      locate({ usageStore: { _tag: "auto" } }, { stateDir: "/s" }),
      sqlite(join("/s", "usage.db"))
    )
    assert.strictEqual(locate({ usageStore: { _tag: "auto" } }, { stateDir: undefined }), undefined)
    assert.strictEqual(locate({ usageStore: { _tag: "off" } }, { stateDir: "/s" }), undefined)
    assert.deepStrictEqual(locate({ usageStore: sqlite("/u") }, { stateDir: "/s" }), sqlite("/u"))
  })

  it.effect("are read as soon as they were added, and kept", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(noon)
      const stateDir = yield* Temporary.directory
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { isOn, add, read } = yield* records({ stateDir })
          assert.isTrue(isOn)
          add("user alice", received(5), noon)
          assert.deepStrictEqual(yield* read(today), [{ user: "alice", day: "2026-11-29", ...received(5) }])
          add("user alice", received(6), noon)
        })
      )
      const { read } = yield* records({ usageStore: { _tag: "sqlite", path: join(stateDir, "usage.db") } })
      assert.strictEqual((yield* read(today))[0]?.received, 11)
    })
  )

  it.effect("are missing if they are off, and reading them reports that", () =>
    Effect.gen(function* () {
      const stateDir = yield* Temporary.directory
      const { isOn, add, read } = yield* records({ stateDir, usageStore: { _tag: "off" } })
      add("user alice", received(5), noon)
      assert.isFalse(isOn)
      assert.include((yield* Effect.flip(read(today))).message, "usage is not recorded")
      assert.deepStrictEqual(readdirSync(stateDir), [])
    })
  )

  it.effect("fail the start if the store cannot be used, and a check makes no file", () =>
    Effect.gen(function* () {
      const stateDir = yield* Temporary.directory
      const path = join(stateDir, "usage.db")
      const check = (values: Partial<Config.Values>) =>
        Effect.provide(UsageRecords.check, Config.layer(values))
      yield* check({ stateDir })
      assert.deepStrictEqual(readdirSync(stateDir), [])
      writeFileSync(path, "no database, but long enough to be looked at".repeat(50))
      const failed = { _tag: "StateFailed", path, reason: "file is not a database" }
      assert.deepStrictEqual(fields(yield* Effect.flip(records({ stateDir }))), failed)
      assert.deepStrictEqual(fields(yield* Effect.flip(check({ stateDir }))), failed)
      const away = join(stateDir, "away", "usage.db")
      const absent = yield* Effect.flip(check({ usageStore: { _tag: "sqlite", path: away } }))
      assert.strictEqual(absent.reason, "its directory does not exist")
    })
  )

  it.effect("lose days after the retention, but none of a month, and none at the start", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(noon)
      const store = UsageStore.makeMemory()
      const rows = ["2026-10-20", "2026-10-29", "2026-11-29"].map((day) => ({
        account: "user alice",
        day,
        amount: received(1)
      }))
      yield* store.write({ writer: "one", number: 1, rows })
      const left = Effect.map(store.read({ from: "2020-01-01", to: "2030-01-01" }), (all) =>
        all.map(({ day }) => day)
      )
      yield* Layer.build(UsageRecords.layerOf(store, { usageRetention: Duration.days(1) }))
      yield* TestClock.adjust("59 minutes")
      assert.lengthOf(yield* left, 3)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* left, ["2026-10-29", "2026-11-29"])
    })
  )

  it.effect("lose no day because a clock is ahead, that of this machine or that of the store", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(noon)
      const rows = ["2026-08-31", "2026-11-29"].map((day) => ({
        account: "user alice",
        day,
        amount: received(1)
      }))
      for (const [machine, database] of [
        ["2036-11-29", "2026-11-29"],
        ["2026-11-29", "2036-11-29"]
      ] as const) {
        const store = { ...UsageStore.makeMemory(), now: Effect.succeed(Date.parse(database)) }
        yield* store.write({ writer: "one", number: 1, rows })
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* TestClock.setTime(Date.parse(machine))
            const times = { usageRollup: Duration.days(40), usageRetention: Duration.days(400) }
            yield* Layer.build(UsageRecords.layerOf(store, times))
            yield* TestClock.adjust("1 hour")
          })
        )
        const left = yield* store.read({ from: "2020-01-01", to: "2030-12-31" })
        assert.deepStrictEqual(
          left.map(({ day }) => day),
          ["2026-08", "2026-11-29"]
        )
      }
    })
  )

  it.effect(
    "are summed up by month, but not those that a quota counts, and only where it is this server's turn",
    () =>
      Effect.gen(function* () {
        const store = UsageStore.makeMemory()
        const rows = ["2026-08-31", "2026-09-01", "2026-09-30", "2026-10-01", "2026-11-29"].map((day) => ({
          account: "user alice",
          day,
          amount: received(1)
        }))
        yield* store.write({ writer: "one", number: 1, rows })
        const kept = Effect.map(store.read({ from: "2020-01-01", to: "2030-12-31" }), (all) =>
          all.map(({ day, received }) => [day, received])
        )
        /** A server that runs from then on for an hour. */
        const running = Effect.fnUntraced(function* (at: string, isMine: boolean) {
          yield* TestClock.setTime(Date.parse(at))
          yield* Effect.provideService(
            Layer.build(UsageRecords.layerOf(store, { usageRollup: Duration.days(1) })),
            UsageUpkeep,
            () => isMine
          )
          yield* TestClock.adjust("1 hour")
          return yield* kept
        }, Effect.scoped)
        assert.lengthOf(yield* running("2026-12-02T12:00:00Z", false), 5)
        // The 31st of October is 32 days before the 2nd of December, so some quota may still count October.
        const early = [
          ["2026-08", 1],
          ["2026-09", 2],
          ["2026-10-01", 1],
          ["2026-11-29", 1]
        ]
        assert.deepStrictEqual(yield* running("2026-12-02T14:00:00Z", true), early)
        assert.deepStrictEqual(yield* running("2026-12-03T12:00:00Z", true), early.with(2, ["2026-10", 1]))
      })
  )
})
