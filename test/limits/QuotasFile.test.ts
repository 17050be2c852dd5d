/**
 * What users have used of their quotas, over restarts without a store of usage; and how a store adopts it.
 */
import { existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setImmediate } from "node:timers/promises"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { Quotas } from "../../src/limits/Quotas.ts"
import * as Config from "../../src/server/Config.ts"
import { fields } from "../support/errors.ts"
import { captured } from "../support/logs.ts"
import * as Temporary from "../support/temporary.ts"
import { received } from "../support/usage.ts"

const noon = Date.parse("2026-11-30T12:00:00Z")

const quotas = (values: Partial<Config.Values>) =>
  Effect.map(
    Layer.build(
      Layer.provide(
        Layer.fresh(Quotas.layer),
        Config.layer({ dailyQuota: 100, usageStore: { _tag: "off" }, ...values })
      )
    ),
    Context.get(Quotas)
  )

describe("Quotas with a directory", () => {
  const account = { whose: "user", key: "user alice", limits: { dailyQuota: 100 } } as const

  /** Uses so many bytes in a run of the server. */
  const run = (stateDir: string, bytes: number) =>
    Effect.scoped(
      Effect.map(quotas({ stateDir }), ({ charge, exceeded }) => {
        charge(account, received(bytes), noon)
        return exceeded(account, noon)?._tag
      })
    )

  it.effect("are remembered over restarts", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(noon)
      const directory = yield* Temporary.directory
      assert.strictEqual(yield* run(directory, 60), undefined)
      assert.strictEqual(yield* run(directory, 39), undefined)
      assert.strictEqual(yield* run(directory, 1), "QuotaExceeded")
      assert.strictEqual(yield* run(directory, 0), "QuotaExceeded")
    })
  )

  it.effect("are restored at a start with a wrong clock", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(noon)
      const directory = yield* Temporary.directory
      assert.strictEqual(yield* run(directory, 100), "QuotaExceeded")
      for (const wrong of ["1970-01-01T00:00:10Z", "2099-01-01T00:00:10Z", "2026-11-29T00:00:10Z"]) {
        yield* TestClock.setTime(Date.parse(wrong))
        yield* Effect.scoped(quotas({ stateDir: directory }))
      }
      yield* TestClock.setTime(noon)
      assert.strictEqual(yield* run(directory, 0), "QuotaExceeded")
    })
  )

  it.effect("are written ten seconds after a change, and not without one", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(noon)
      const stateDir = yield* Temporary.directory
      const file = join(stateDir, "quotas.json")
      const { charge } = yield* quotas({ stateDir })
      assert.deepStrictEqual(JSON.parse(readFileSync(file, "utf8")), {
        version: 1,
        date: "2026-11-30",
        accounts: []
      })
      charge(account, received(5), noon)
      const written = Effect.promise(async () => {
        while (!readFileSync(file, "utf8").includes("alice")) await setImmediate()
      })
      yield* TestClock.adjust("10 seconds")
      yield* written
      assert.deepStrictEqual(JSON.parse(readFileSync(file, "utf8")).accounts, [
        { name: "user alice", day: 5, month: 5 }
      ])
      writeFileSync(file, "not touched")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(readFileSync(file, "utf8"), "not touched")
    })
  )

  it.effect("cannot be started with if they cannot be read or written", () =>
    Effect.gen(function* () {
      const stateDir = yield* Temporary.directory
      const file = join(stateDir, "quotas.json")
      for (const text of ["", '{"version":1,"da', '{"version":2,"date":"2026-11-30","accounts":[]}']) {
        writeFileSync(file, text)
        const error = yield* Effect.flip(Effect.scoped(quotas({ stateDir })))
        assert.deepInclude(fields(error), { _tag: "StateFailed", path: file })
        assert.strictEqual(readFileSync(file, "utf8"), text)
      }
      const nowhere = yield* Effect.flip(Effect.scoped(quotas({ stateDir: join(stateDir, "nowhere") })))
      assert.strictEqual(nowhere.reason, "its directory does not exist")
    })
  )

  it.effect("without one cause one warning", () =>
    Effect.gen(function* () {
      const { lines, layer: logs } = captured()
      yield* Effect.provide(Effect.scoped(quotas({})), logs)
      yield* Effect.provide(Effect.scoped(quotas({ dailyQuota: "off" })), logs)
      const user = [{ name: "alice", limits: { monthlyQuota: 100, dailyQuota: Infinity } }]
      yield* Effect.provide(Effect.scoped(quotas({ dailyQuota: "off", user })), logs)
      const free = [{ name: "alice", limits: { sessions: 1, dailyQuota: Infinity } }]
      yield* Effect.provide(Effect.scoped(quotas({ dailyQuota: "off", user: free })), logs)
      yield* Effect.provide(Effect.scoped(quotas({ stateDir: yield* Temporary.directory })), logs)
      assert.deepStrictEqual(
        lines.map(({ level, message }) => [level, message]),
        Array(2).fill(["Warn", "quotas begin anew at every start, as there is no --state-dir"])
      )
    })
  )
})

describe("a store of usage", () => {
  it.effect("adopts quotas.json once, with the bytes of the month before its day", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(noon)
      const stateDir = yield* Temporary.directory
      const file = join(stateDir, "quotas.json")
      const kept = {
        version: 1,
        date: "2026-11-30",
        accounts: [
          { name: "user alice", day: 60, month: 100 },
          { name: "rule mail", day: 7, month: 7 }
        ],
        others: [
          // The same month, and another one.
          { date: "2026-11-20", accounts: [{ name: "user alice", day: 40, month: 100 }] },
          { date: "2027-01-02", accounts: [{ name: "user alice", day: 3, month: 3 }] }
        ]
      }
      const used = (values: Partial<Config.Values>) =>
        Effect.scoped(
          Effect.gen(function* () {
            const { exceeded } = yield* quotas({ stateDir, usageStore: { _tag: "auto" }, ...values })
            const { dailyQuota = 60, monthlyQuota } = values
            const limits = { dailyQuota, monthlyQuota } as { dailyQuota: number; monthlyQuota: number }
            return exceeded({ whose: "user", key: "user alice", limits }, yield* Clock.currentTimeMillis)
          })
        )
      for (let i = 0; i < 2; i++) {
        writeFileSync(file, JSON.stringify(kept))
        // The second file is the first one: a crash before it was renamed.
        utimesSync(file, 1000, 1000)
        assert.strictEqual((yield* used({}))?.period, "day")
        assert.isFalse(existsSync(file))
      }
      assert.strictEqual((yield* used({ monthlyQuota: 100 }))?.period, "month")
      assert.strictEqual((yield* used({ dailyQuota: 61, monthlyQuota: 101 }))?.period, undefined)
      assert.isTrue(existsSync(`${file}.adopted`))
      // A day that was yet to come.
      yield* TestClock.setTime(Date.parse("2027-01-02T00:00:00Z"))
      assert.strictEqual((yield* used({ dailyQuota: 3 }))?.limit, 3)
    })
  )

  it.effect("does not change an incomplete quotas.json, and does not start", () =>
    Effect.gen(function* () {
      const stateDir = yield* Temporary.directory
      const file = join(stateDir, "quotas.json")
      writeFileSync(file, "{")
      const error = yield* Effect.flip(Effect.scoped(quotas({ stateDir, usageStore: { _tag: "auto" } })))
      assert.deepInclude(fields(error), { _tag: "StateFailed", path: file })
      assert.strictEqual(readFileSync(file, "utf8"), "{")
    })
  )
})
