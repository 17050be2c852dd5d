/**
 * The upkeep of a fleet's usage: the machine that leads sums up months, and no other one. Three servers, one of them with
 * workers, on one Redis and one PostgreSQL.
 */
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as SqlClient from "effect/sql/SqlClient"
import * as PostgresClient from "../../src/usage/PostgresClient.ts"
import * as PostgresUrl from "../../src/usage/PostgresUrl.ts"
import { describeWith } from "../support/clients.ts"
import { leaderOf } from "../support/leaders.ts"
import * as Postgres from "../support/postgres.ts"
import * as Program from "../support/program.ts"
import * as Redis from "../support/redis.ts"
import * as Workers from "../support/workers.ts"

const patience = 120_000

/** Milliseconds between two times that it is kept, in place of an hour. */
const every = 500
const hurried = `const after = setTimeout
globalThis.setTimeout = (call, time, ...rest) => after(call, time === 3600000 ? ${every} : time, ...rest)`
const options: Program.Options = {
  nodeFlags: ["--import", `data:text/javascript,${encodeURIComponent(hurried)}`]
}

/** Each machine has a role of its own: so the database knows which one removes days, and has it wait at will. */
const prepare = Effect.fnUntraced(function* (sql: SqlClient.SqlClient, names: ReadonlyArray<string>) {
  for (const name of names) yield* sql.unsafe(`CREATE ROLE ${name} SUPERUSER LOGIN PASSWORD 's3cr3t'`)
  yield* sql`CREATE TABLE removal (machine TEXT NOT NULL DEFAULT current_user)`
  yield* sql.unsafe(`CREATE FUNCTION remove() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock_shared(1);
    INSERT INTO removal DEFAULT VALUES;
    RETURN NULL;
  END $$`)
  yield* sql`CREATE TRIGGER remove BEFORE DELETE ON usage_day FOR EACH STATEMENT EXECUTE FUNCTION remove()`
})

/** Removals wait from now on, until the effect that this returns. */
const stopRemovals = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  const stopped = yield* Deferred.make<void>()
  const gate = yield* Latch.make()
  yield* sql`SELECT pg_advisory_xact_lock(1)`.pipe(
    Effect.andThen(Deferred.succeed(stopped, undefined)),
    Effect.andThen(gate.await),
    sql.withTransaction,
    Effect.forkScoped
  )
  yield* Deferred.await(stopped)
  return gate.open
})

/** Eight months of usage until yesterday. */
const fill = (sql: SqlClient.SqlClient) =>
  sql`INSERT INTO usage_day
    SELECT kind, name, to_char(day, 'YYYY-MM-DD'), 10 * number, number, number, 1000 * number
    FROM (VALUES ('user', 'alice', 1), ('user', 'bob', 7), ('anonymous', '', 3), ('rule', 'mail', 5)) AS account (kind, name, number),
    generate_series(date_trunc('month', now()) - INTERVAL '8 months', now() - INTERVAL '1 day', '1 day') AS day`

/** Usage by user of all that time. */
const report = Effect.fnUntraced(function* (url: string) {
  const flags = ["--usage-store", url, "--from", "2024-01-01", "--to", "2099-12-31", "--by", "user", "--csv"]
  const { code, stdout, stderr } = yield* Program.run(["usage", ...flags])
  assert.strictEqual(code, 0, stderr)
  return stdout
})

describeWith(["postgresql", "redis-server"], () => {
  it.live(
    "the machine that leads sums up months, and another one when it is killed: no report changes",
    () =>
      Effect.gen(function* () {
        const database = yield* Postgres.make()
        yield* database.start
        const store = yield* Redis.make()
        const names = ["one", "two", "pair"]
        // Makes the tables.
        yield* (yield* Program.start(["--usage-store", database.url])).stop
        const url = Option.getOrThrow(PostgresUrl.parse(database.url))
        const sql = Context.get(yield* Layer.build(PostgresClient.layer(url)), SqlClient.SqlClient)
        yield* prepare(sql, names)
        const machines = yield* Effect.forEach(
          names,
          (name) => {
            const flags = [
              ...["--fleet", store.url, "--fleet-machine", name, "--fleet-lease", "1500ms", "--fleet-leader"],
              ...["--usage-store", database.url.replace("socks:", `${name}:`), "--usage-rollup", "40d"]
            ]
            const program = name === "pair" ? Workers.start(flags, options) : Program.start(flags, options)
            return Effect.map(program, (program) => ({ name, program }))
          },
          { concurrency: "unbounded" }
        )
        const removers = Effect.gen(function* () {
          yield* sql`DELETE FROM removal`
          yield* Effect.sleep(4 * every)
          const found = yield* sql<{ machine: string }>`SELECT DISTINCT machine FROM removal ORDER BY machine`
          return found.map(({ machine }) => machine)
        })
        const waiting = Effect.gen(function* () {
          yield* Effect.sleep(4 * every)
          const found = yield* sql<{
            machine: string
          }>`SELECT DISTINCT usename AS machine FROM pg_stat_activity
            WHERE wait_event = 'advisory' ORDER BY usename`
          return found.map(({ machine }) => machine)
        })
        // Until it takes part in the election, each machine keeps the usage; and one that begins may lead in the place of another.
        let first = yield* leaderOf(machines)
        while ((yield* removers).join() !== first.name) first = yield* leaderOf(machines)

        const goOn = yield* stopRemovals(sql)
        yield* fill(sql)
        const before = yield* report(database.url)
        assert.match(before, /^,alice,\d{4},/m)
        assert.deepStrictEqual(yield* waiting, [first.name])

        // The database does not know that it is gone, and goes on with what it was asked for.
        yield* first.program.kill("SIGKILL")
        const next = yield* leaderOf(machines.filter((machine) => machine !== first))
        assert.deepStrictEqual(yield* waiting, [first.name, next.name].sort())
        assert.strictEqual(yield* report(database.url), before)

        yield* goOn
        const left = Effect.map(
          sql<{ days: unknown; months: unknown }>`SELECT COUNT(*) FILTER (WHERE length(day) = 10
            AND day < to_char(date_trunc('month', now() - INTERVAL '40 days'), 'YYYY-MM-DD')) AS days,
            COUNT(DISTINCT day) FILTER (WHERE length(day) = 7) AS months FROM usage_day`,
          ([row]) => [Number(row?.days), Number(row?.months)] as const
        )
        while ((yield* left)[0] > 0) yield* Effect.sleep(every)
        assert.isAtLeast((yield* left)[1], 6)
        assert.strictEqual(yield* report(database.url), before)

        // What comes late is added, by the one that leads now.
        yield* sql`INSERT INTO usage_day
          SELECT 'user', 'carol', min(day) || '-20', 1, 2, 3, 4000 FROM usage_day WHERE length(day) = 7`
        const late = sql`SELECT 1 FROM usage_day WHERE name = 'carol' AND length(day) = 7`
        while ((yield* late).length === 0) yield* Effect.sleep(every)
        assert.include(yield* report(database.url), "\n,carol,1,2,3,4\n")
        assert.deepStrictEqual(yield* removers, [next.name])
      }),
    patience
  )
})
