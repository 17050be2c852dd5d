/**
 * A `SqlClient` on a PostgreSQL database, by Effect's own client.
 */
import { readFileSync } from "node:fs"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { UsageStoreFailed } from "../Errors.ts"
import type { PostgresUrl } from "./PostgresUrl.ts"

/** Connects when a statement is run, and again after a connection has broken. */
export const layer = ({
  url,
  shown,
  isEncrypted,
  files
}: PostgresUrl): Layer.Layer<SqlClient.SqlClient, SqlError | UsageStoreFailed> =>
  Layer.unwrap(
    Effect.map(
      Effect.try({
        try: () =>
          Object.fromEntries(Object.entries(files).map(([name, path]) => [name, readFileSync(path)])),
        catch: (cause) => new UsageStoreFailed({ store: shown, reason: (cause as Error).message })
      }),
      (pems) =>
        PgClient.layer({
          url: Redacted.make(url),
          ssl: isEncrypted ? pems : false,
          applicationName: "effect-socks",
          // One writes while others read.
          maxConnections: 3,
          connectTimeout: "4 seconds",
          keepAlive: "10 seconds",
          // A pooler in between may give each statement another connection.
          prepare: false
        })
    )
  )
