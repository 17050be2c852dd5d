/**
 * A store of usage in a database, SQLite or PostgreSQL, by the same statements.
 */
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as StateFile from "../base/StateFile.ts"
import { UsageStoreFailed } from "../Errors.ts"
import { fromKey, toKey } from "./Amount.ts"
import * as Days from "./Days.ts"
import type { Row } from "./PendingUsage.ts"
import { answer, type Batch, type Month, type Query, type UsageStore } from "./UsageStore.ts"

/**
 * Fails where the database cannot be used. With `canBeNew`, makes the tables if they are not there yet. Its statements, which
 * are written each second, are no spans: a tracer is for sessions.
 */
export const make = Effect.fnUntraced(function* (
  name: string,
  { canBeNew }: { readonly canBeNew: boolean }
): Effect.fn.Return<UsageStore, UsageStoreFailed, SqlClient.SqlClient> {
  const sql = yield* SqlClient.SqlClient
  const failing = <A>(effect: Effect.Effect<A, SqlError>): Effect.Effect<A, UsageStoreFailed> =>
    Effect.mapError(
      Effect.withTracerEnabled(effect, false),
      (error) => new UsageStoreFailed({ store: name, reason: reasonOf(error) })
    )

  const prepare: Effect.Effect<unknown, Error, SqlClient.SqlClient> = canBeNew ? migrate() : sql`SELECT 1`
  yield* prepare.pipe(
    Effect.mapError((error) => new UsageStoreFailed({ store: name, reason: reasonOf(error) })),
    // The migrator has lines of its own.
    Effect.provideService(References.MinimumLogLevel, "None"),
    Effect.withTracerEnabled(false)
  )
  return {
    name,
    now: failing(now(sql)),
    write: (batch) => failing(sql.withTransaction(write(sql, batch))),
    totals: (month, accounts) => failing(totals(sql, month, accounts)),
    read: (query) => Effect.flatMap(failing(read(sql, query)), (records) => answer(query, records)),
    rollUp: (before) => failing(rollUp(sql, before)),
    prune: (before) => failing(prune(sql, before))
  }
})

/** Writes a batch, unless it was written before: the answer to a commit can be lost when a connection breaks. */
const write = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, { writer, number, rows }: Batch) {
  const isNew = yield* sql`INSERT INTO usage_writer (writer, batch, written_at)
    VALUES (${writer}, ${number}, ${yield* time(sql)})
    ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch, written_at = excluded.written_at
    WHERE usage_writer.batch < excluded.batch RETURNING batch`
  if (isNew.length === 0) return
  for (const part of Arr.chunksOf(rows, most)) {
    yield* sql`INSERT INTO usage_day ${sql.insert(Arr.map(part, columnsOf))}
      ${added(sql)}`
  }
})

/** The end of an insertion that adds to what is there. */
const added = (sql: SqlClient.SqlClient) =>
  sql.literal(`ON CONFLICT (kind, name, day) DO UPDATE SET
        sent = usage_day.sent + excluded.sent,
        received = usage_day.received + excluded.received,
        sessions = usage_day.sessions + excluded.sessions,
        duration = usage_day.duration + excluded.duration`)

/** The condition for days from one to another, and for months that were summed up of which they have a part. */
const within = (sql: SqlClient.SqlClient, from: string, to: string) =>
  sql`day >= ${Days.monthOf(from)} AND day <= ${to} AND (day >= ${from} OR length(day) = 7)`

const totals = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  { day, since, until }: Month,
  accounts?: ReadonlyArray<string>
) {
  const of = (condition: ReturnType<typeof sql.literal> | ReturnType<typeof sql.or>) =>
    sql<{ kind: string; name: string; today: unknown; month: unknown }>`SELECT kind, name,
      CAST(SUM(CASE WHEN day = ${day} THEN sent + received ELSE 0 END) AS BIGINT) AS today,
      CAST(SUM(sent + received) AS BIGINT) AS month
      FROM usage_day WHERE ${within(sql, since, until)} AND ${condition} GROUP BY kind, name`
  const found = yield* accounts === undefined
    ? Effect.map(of(sql.literal("1 = 1")), (rows) => [rows])
    : Effect.forEach(Arr.chunksOf(accounts.map(fromKey), most), (part) =>
        of(sql.or(part.map(({ kind, name }) => sql`(kind = ${kind} AND name = ${name})`)))
      )
  return found.flat().map(({ kind, name, today, month }) => ({
    account: toKey(kind, name),
    day: Number(today),
    month: Number(month)
  }))
})

const read = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, { from, to, user }: Query) {
  const rows = yield* sql<Record<"kind" | "name" | "day", string> & Record<Numbers, unknown>>`SELECT
    kind, name, day, sent, received, sessions, duration FROM usage_day
    WHERE ${user === undefined ? sql`kind <> 'rule'` : sql`kind = 'user' AND name = ${user}`}
    AND ${within(sql, from, to)} ORDER BY day, name`
  return rows.map(({ kind, name, day, sent, received, sessions, duration }) => ({
    day,
    user: kind === "anonymous" ? undefined : name,
    sent: Number(sent),
    received: Number(received),
    sessions: Number(sessions),
    duration: Number(duration)
  }))
})

/**
 * Sums up months: `2026-10` takes the place of their days. What another server sums up at the same time, or writes later for
 * such a day, counts once.
 */
const rollUp = (sql: SqlClient.SqlClient, before: string): Effect.Effect<unknown, SqlError> => {
  const old = sql`length(day) = 10 AND day < ${before}`
  const sums = sql.literal(`kind, name, substr(day, 1, 7),
    SUM(sent), SUM(received), SUM(sessions), SUM(duration)`)
  const columns = sql.literal("(kind, name, day, sent, received, sessions, duration)")
  const groups = sql.literal("GROUP BY kind, name, substr(day, 1, 7)")
  return sql.onDialectOrElse({
    // One statement, as another server can move rows between two.
    pg: () => sql`WITH old AS (DELETE FROM usage_day WHERE ${old} RETURNING *)
      INSERT INTO usage_day ${columns} SELECT ${sums} FROM old ${groups} ${added(sql)}`,
    orElse: () =>
      sql.withTransaction(
        Effect.andThen(
          sql`INSERT INTO usage_day ${columns} SELECT ${sums} FROM usage_day WHERE ${old} ${groups} ${added(sql)}`,
          sql`DELETE FROM usage_day WHERE ${old}`
        )
      )
  })
}

const prune = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, before: string) {
  yield* sql`DELETE FROM usage_day WHERE day < ${before} AND (length(day) = 10 OR day < ${Days.monthOf(before)})`
  yield* sql`DELETE FROM usage_writer WHERE written_at < ${Date.parse(before)}`
})

const now = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const [row] = yield* sql<{ time: unknown }>`SELECT ${yield* time(sql)} AS time`
  return Number(row?.time)
})

/** The time of the database: servers that share one may have clocks that differ. A file has the clock of this machine. */
const time = (sql: SqlClient.SqlClient) =>
  Effect.map(Clock.currentTimeMillis, (millis) =>
    sql.onDialectOrElse({
      pg: () => sql.literal("CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT)"),
      orElse: () => sql`${millis}`
    })
  )

type Numbers = "sent" | "received" | "sessions" | "duration"

const columnsOf = ({ day, account, amount: { sent, received, sessions, duration } }: Row) => ({
  ...fromKey(account),
  day,
  ...{ sent, received, sessions, duration: Math.round(duration) }
})

/** A statement has at most so many rows, as databases limit its parameters. */
const most = 500

/** A new version of the tables is another entry. */
const migrate = () =>
  Migrator.make({})({
    table: "usage_migration",
    loader: Migrator.fromRecord({
      "0001_usage": Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        yield* sql`CREATE TABLE usage_day (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        day TEXT NOT NULL,
        sent BIGINT NOT NULL,
        received BIGINT NOT NULL,
        sessions BIGINT NOT NULL,
        duration BIGINT NOT NULL,
        PRIMARY KEY (kind, name, day)
      )`
        yield* sql`CREATE INDEX usage_day_by_day ON usage_day (day)`
        yield* sql`CREATE TABLE usage_writer (
        writer TEXT NOT NULL PRIMARY KEY,
        batch BIGINT NOT NULL,
        written_at BIGINT NOT NULL
      )`
      })
    })
  })

/** The reason in the words of the database, without the statement; for a file that cannot be opened, as of other state. */
export const reasonOf = (error: Error): string => {
  const { cause } = error
  if (cause instanceof Error) return reasonOf(cause)
  if ((error as NodeJS.ErrnoException).syscall === "open") return StateFile.reasonOf(error)
  const { reason } = error as { readonly reason?: unknown }
  return reason instanceof Error ? reasonOf(reason) : error.message
}
