/**
 * What users have used of their quotas, over restarts.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import { Quotas } from "../../src/limits/Quotas.ts"
import * as Config from "../../src/server/Config.ts"
import { fields } from "../support/errors.ts"
import { captured } from "../support/logs.ts"
import * as Temporary from "../support/temporary.ts"

const noon = Date.parse("2026-11-30T12:00:00Z")

describe("Quotas with a directory", () => {
  const quotas = (values: Partial<Config.Values>) =>
    Effect.map(
      Layer.build(Layer.provide(Layer.fresh(Quotas.layer), Config.layer({ dailyQuota: 100, ...values }))),
      Context.get(Quotas)
    )

  const account = { whose: "user", key: "user alice", limits: { dailyQuota: 100 } } as const

  /** Uses so many bytes in a run of the server. */
  const run = (stateDir: string, bytes: number) =>
    Effect.scoped(
      Effect.map(quotas({ stateDir }), ({ charge, exceeded }) => {
        charge(account, bytes, noon)
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

  it.effect("are remembered by a start with a clock that is wrong", () =>
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
      charge(account, 5, noon)
      const written = Effect.promise(async () => {
        while (!readFileSync(file, "utf8").includes("alice")) await setTimeout(5)
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

  it.effect("are refused at the start where they cannot be read or written", () =>
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

  it.effect("are warned of once where there is none", () =>
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
