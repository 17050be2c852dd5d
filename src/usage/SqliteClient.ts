/**
 * A `SqlClient` on an SQLite file: on Node's own SQLite where Node has it (22.13 or later), and else on the package
 * `libsql`, which has binaries for all common platforms.
 */
import { closeSync, openSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlConnection from "effect/sql/SqlConnection"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"

/** What this file uses of a driver. All calls are synchronous. */
interface Database {
  readonly prepare: (sql: string) => PreparedStatement
  readonly exec: (sql: string) => unknown
  readonly close: () => void
}

interface PreparedStatement {
  readonly all: (...params: ReadonlyArray<unknown>) => unknown
  readonly run: (...params: ReadonlyArray<unknown>) => unknown
}

/** Opens the file, and makes it if it is not there. */
export const layer = (path: string): Layer.Layer<SqlClient.SqlClient, SqlError> =>
  Layer.provide(Layer.effect(SqlClient.SqlClient, make(path)), Reactivity.layer)

const make = Effect.fnUntraced(function* (path: string) {
  const Driver = yield* Effect.tryPromise({ try: load, catch: failed("load") })
  const database = yield* Effect.acquireRelease(
    Effect.try({ try: () => open(Driver, path), catch: failed("open") }),
    (database) => Effect.sync(() => close(database))
  )
  return yield* SqlClient.make({
    ...SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connectionTo(database)),
      semaphore: yield* Semaphore.make(1)
    }),
    driver: "sqlite",
    // A transaction that begins by reading could not write after another process has.
    beginTransaction: "BEGIN IMMEDIATE",
    compiler: Statement.makeCompilerSqlite(),
    spanAttributes: [["db.system.name", "sqlite"]]
  })
})

type Driver = new (path: string) => Database

const load = async (): Promise<Driver> => {
  try {
    const { DatabaseSync } = await import("node:sqlite")
    return DatabaseSync as unknown as Driver
  } catch {
    return (await import("libsql")).default as unknown as Driver
  }
}

/** Whether there is a driver. */
export const isAvailable: Effect.Effect<boolean> = Effect.promise(() =>
  load().then(
    () => true,
    () => false
  )
)

/** Opens a file that only its owner may read. With the write-ahead log, readers do not wait for the writer. */
const open = (Driver: Driver, path: string): Database => {
  closeSync(openSync(path, "a", 0o600))
  const database = new Driver(path)
  // The wait blocks this process. What cannot be written now is written later.
  database.exec("PRAGMA busy_timeout = 100")
  database.prepare("PRAGMA journal_mode = WAL").all()
  // A commit is in the file when the process is killed. When the power fails, the last ones may be lost.
  database.exec("PRAGMA synchronous = NORMAL")
  return database
}

/** Moves what is in the write-ahead log to the file, so that a copy of the file has all of it. */
const close = (database: Database): void => {
  try {
    database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").all()
  } catch {
    // Somebody reads the file.
  }
  database.close()
}

const connectionTo = (database: Database): SqlConnection.Connection => {
  const prepared = new Map<string, PreparedStatement>()
  const statementOf = (sql: string): PreparedStatement => {
    const known = prepared.get(sql)
    if (known) return known
    const made = database.prepare(sql)
    if (prepared.size < mostPrepared) prepared.set(sql, made)
    return made
  }
  const run = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.try({
      try: (): ReadonlyArray<object> => {
        const statement = statementOf(sql)
        if (givesRows.test(sql)) return statement.all(...params) as ReadonlyArray<object>
        statement.run(...params)
        return []
      },
      catch: failed("execute")
    })
  const rows: SqlConnection.Connection["execute"] = (sql, params, transform) =>
    Effect.map(run(sql, params), (rows) => (transform ? transform(rows) : rows))
  const values: SqlConnection.Connection["executeValues"] = (sql, params) =>
    Effect.map(run(sql, params), (rows) => rows.map((row) => Object.values(row)))
  return {
    execute: rows,
    executeUnprepared: rows,
    executeRaw: run,
    executeValues: values,
    executeValuesUnprepared: values,
    executeStream: (sql, params) => Stream.unwrap(Effect.map(run(sql, params), Stream.fromIterable))
  }
}

/** The statements of a store are fewer, but for the lengths of their last parts. */
const mostPrepared = 64

const givesRows = /^\s*(select|with|pragma|explain)\b|\breturning\b/i

const failed = (operation: string) => (cause: unknown) =>
  new SqlError({
    reason: classifySqliteError(cause, { message: `SQLite cannot ${operation}`, operation })
  })
