/**
 * The file of what the fleet's store does not have yet.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as UsageJournal from "../../src/fleet/UsageJournal.ts"
import * as Temporary from "../support/temporary.ts"

const row = ["user alice", "2026-11-29", 5] as const
const nothing = { batch: undefined, rows: [] }
const unsent: UsageJournal.Unsent = { batch: { run: "one", number: 3, rows: [row] }, rows: [row, row] }

describe("UsageJournal", () => {
  it.effect("has what was unsent at the last save, for its owner only", () =>
    Effect.gen(function* () {
      const directory = yield* Temporary.directory
      const path = join(directory, "fleet-usage.json")
      const first = yield* UsageJournal.open(directory)
      assert.deepStrictEqual(first.left, nothing)
      yield* first.save(nothing)
      assert.isFalse(existsSync(path))
      yield* first.save(unsent)
      assert.strictEqual(statSync(path).mode & 0o777, 0o600)
      const { mtimeMs } = statSync(path)
      yield* first.save(unsent)
      assert.strictEqual(statSync(path).mtimeMs, mtimeMs)

      const second = yield* UsageJournal.open(directory)
      assert.deepStrictEqual(second.left, unsent)
      yield* second.save(nothing)
      assert.deepStrictEqual((yield* UsageJournal.open(directory)).left, nothing)
    })
  )

  it.effect("is put aside when it is not whole, and kept on when its directory is back", () =>
    Effect.gen(function* () {
      const directory = join(yield* Temporary.directory, "state")
      mkdirSync(directory)
      const path = join(directory, "fleet-usage.json")
      writeFileSync(path, '{"version":1,"rows":[["user al')
      const journal = yield* UsageJournal.open(directory)
      assert.deepStrictEqual(journal.left, nothing)
      assert.include(readFileSync(`${path}.unread`, "utf8"), "user al")
      rmSync(directory, { recursive: true })
      yield* journal.save(unsent)
      mkdirSync(directory)
      yield* journal.save(unsent)
      assert.deepStrictEqual((yield* UsageJournal.open(directory)).left, unsent)
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )
})
