/**
 * The store in an SQLite file, with the driver that this Node has.
 */
import { copyFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import * as SqliteClient from "../../src/usage/SqliteClient.ts"
import * as Stores from "../../src/usage/Stores.ts"
import { conforms } from "../support/stores.ts"
import * as Temporary from "../support/temporary.ts"
import { received } from "../support/usage.ts"

const place = Effect.map(Temporary.directory, (directory) => ({
  _tag: "sqlite" as const,
  path: join(directory, "usage.db")
}))

describe("a store in an SQLite file", () => {
  it.effect("passes the tests of all stores, in a file that only its owner can read", () =>
    Effect.gen(function* () {
      const at = yield* place
      yield* conforms(yield* Stores.open(at))
      for (const end of ["", "-wal", "-shm"]) assert.strictEqual(statSync(at.path + end).mode & 0o777, 0o600)
    })
  )

  it.effect("is read by others while it is written, and whole in its file after its end", () =>
    Effect.gen(function* () {
      const at = yield* place
      const rows = [{ account: "user alice", day: "2026-11-29", amount: received(5) }]
      const month = { from: "2026-11-01", to: "2026-11-30" }
      yield* Effect.scoped(
        Effect.gen(function* () {
          const writing = yield* Stores.open(at)
          const reading = yield* Stores.openExisting(at)
          yield* writing.write({ writer: "one", number: 1, rows })
          assert.strictEqual((yield* reading.read(month))[0]?.received, 5)
          yield* reading.write({ writer: "other", number: 1, rows })
          assert.strictEqual((yield* writing.read(month))[0]?.received, 10)
        })
      )
      const copy = { ...at, path: `${at.path}.copy` }
      copyFileSync(at.path, copy.path)
      const store = yield* Stores.openExisting(copy)
      assert.strictEqual((yield* store.read(month))[0]?.received, 10)
    })
  )

  it.effect("writes a batch as a whole or not at all", () =>
    Effect.gen(function* () {
      const at = yield* place
      const store = yield* Stores.open(at)
      const sql = yield* Layer.build(SqliteClient.layer(at.path))
      yield* Effect.provideContext(
        Effect.flatMap(
          SqlClient.SqlClient,
          (sql) => sql`CREATE TRIGGER full BEFORE INSERT ON usage_day WHEN NEW.name = 'bob'
            BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`
        ),
        sql
      )
      const row = (account: string) => ({ account, day: "2026-11-29", amount: received(5) })
      const batch = { writer: "one", number: 1, rows: [row("user alice"), row("user bob")] }
      const { message } = yield* Effect.flip(store.write(batch))
      assert.strictEqual(message, `cannot use the usage store ${at.path}: the disk is full`)
      const month = { from: "2026-11-01", to: "2026-11-30" }
      assert.deepStrictEqual(yield* store.read(month), [])
      yield* store.write({ ...batch, rows: [row("user alice")] })
      assert.lengthOf(yield* store.read(month), 1)
    })
  )

  it.effect("is refused with the reason if the file is invalid or cannot be made", () =>
    Effect.gen(function* () {
      const { path } = yield* place
      const reasonFor = (path: string) =>
        Effect.map(Effect.flip(Stores.open({ _tag: "sqlite", path })), ({ reason }) => reason)
      writeFileSync(path, "usage:\n  alice: 5\n".repeat(100))
      assert.strictEqual(yield* reasonFor(path), "file is not a database")
      assert.strictEqual(
        yield* reasonFor(join(path, "..", "away", "usage.db")),
        "its directory does not exist"
      )
      assert.isTrue(yield* Stores.hasSqlite)
      const absent = yield* Effect.flip(Stores.openExisting({ _tag: "sqlite", path: `${path}.none` }))
      assert.strictEqual(absent.reason, "there is no such file")
    })
  )
})
