/**
 * The command `usage`: which days and which store it reads, and what it refuses.
 */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { TestClock, TestConsole } from "effect/testing"
import * as Usage from "../../src/cli/Usage.ts"
import type { Given } from "../../src/cli/UsageFlags.ts"
import type * as Sources from "../../src/config/Sources.ts"
import * as Stores from "../../src/usage/Stores.ts"
import * as Temporary from "../support/temporary.ts"
import { received } from "../support/usage.ts"

const nothing: Given = {
  month: Option.none(),
  from: Option.none(),
  to: Option.none(),
  by: Option.none(),
  csv: true,
  json: false
}

const text = (given: Record<string, string>) =>
  Object.fromEntries(Object.entries(given).map(([name, value]) => [name, Option.some(value)]))

const usage = (settings: Sources.Given, asked: Partial<Given> = {}) =>
  Effect.provide(Usage.run(settings, { ...nothing, ...asked }), NodeServices.layer)

/** A directory with usage of alice on four days. */
const used = Effect.gen(function* () {
  yield* TestClock.setTime(Date.parse("2026-11-29T12:00:00Z"))
  const stateDir = yield* Temporary.directory
  const store = yield* Stores.open({ _tag: "sqlite", path: join(stateDir, "usage.db") })
  const days = ["2026-10-31", "2026-11-01", "2026-11-30", "2026-12-01"]
  const rows = days.map((day, index) => ({ account: "user alice", day, amount: received(10 ** index) }))
  yield* store.write({ writer: "one", number: 1, rows })
  return { stateDir: [stateDir] }
})

describe("usage", () => {
  it.effect("is of this month, of another one, or from one day to another", () =>
    Effect.gen(function* () {
      const settings = yield* used
      yield* usage(settings)
      yield* usage(settings, text({ month: "2026-10" }))
      yield* usage(settings, text({ from: "2026-10-01" }))
      yield* usage(settings, text({ to: "2026-11-02" }))
      yield* usage(settings, text({ from: "2026-10-31", to: "2026-12-01" }))
      yield* usage({ ...settings, user: ["alice"] }, text({ from: "2026-11-30", to: "2026-12-01" }))
      yield* usage({ ...settings, user: ["bob"] })
      const rows = (yield* TestConsole.logLines).map((text) => String(text).split("\r\n").slice(1))
      assert.deepStrictEqual(rows, [
        [",alice,0,110,0,0"],
        [",alice,0,1,0,0"],
        [",alice,0,11,0,0"],
        [",alice,0,10,0,0"],
        [",alice,0,1111,0,0"],
        ["2026-11-30,alice,0,100,0,0", "2026-12-01,alice,0,1000,0,0"],
        []
      ])
    })
  )

  it.effect("refuses an invalid question", () =>
    Effect.gen(function* () {
      const settings = yield* used
      const refused = (asked: Partial<Given>, given: Sources.Given = settings) =>
        Effect.map(Effect.flip(usage(given, asked)), ({ message }) => message)
      assert.strictEqual(
        yield* refused(text({ month: "11-2026" })),
        '--month: "11-2026" is not a month such as 2026-11'
      )
      assert.include(yield* refused(text({ from: "2026-11-31" })), "--from")
      assert.include(yield* refused(text({ to: "tomorrow" })), "--to")
      assert.include(yield* refused(text({ month: "2026-11", to: "2026-11-02" })), "--month has its days")
      assert.include(yield* refused(text({ from: "2026-11-02", to: "2026-11-01" })), "no day from")
      assert.include(yield* refused({ json: true }), "one")
      assert.include(yield* refused({}, {}), "no --state-dir and no --usage-store")
      const stateDir = [yield* Temporary.directory]
      assert.include(yield* refused({}, { stateDir }), "there is no such file")
      assert.deepStrictEqual(readdirSync(stateDir[0]!), [])
    })
  )
})
