/**
 * Opens the stores of usage. Loaded where usage is recorded, and the driver of a database where it is used.
 */
import { existsSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as StateFile from "../base/StateFile.ts"
import { UsageStoreFailed } from "../Errors.ts"
import * as PostgresUrl from "./PostgresUrl.ts"
import type { StoreSetting } from "./Settings.ts"
import * as SqlStore from "./SqlStore.ts"
import type { UsageStore } from "./UsageStore.ts"

/** The place of a store. */
type Place = Exclude<StoreSetting, { readonly _tag: "auto" | "off" }>

/** Opens a store that is there already until the scope closes: to read it makes no file. */
export const openExisting = (place: Place): Effect.Effect<UsageStore, UsageStoreFailed, Scope.Scope> =>
  place._tag === "sqlite" && !existsSync(place.path)
    ? Effect.fail(new UsageStoreFailed({ store: place.path, reason: "there is no such file" }))
    : openAt(place, { canBeNew: false })

/** Fails if a store could not be opened. Makes no file, which would be that of another user than the server's. */
export const check = (place: Place): Effect.Effect<void, UsageStoreFailed> =>
  place._tag === "sqlite" && !existsSync(place.path)
    ? Effect.mapError(
        StateFile.canWrite(place.path),
        ({ path, reason }) => new UsageStoreFailed({ store: path, reason })
      )
    : Effect.scoped(Effect.asVoid(openAt(place, { canBeNew: false })))

/** Opens a store until the scope closes, and makes it if it is not there yet. */
export const open = (place: Place): Effect.Effect<UsageStore, UsageStoreFailed, Scope.Scope> =>
  openAt(place, { canBeNew: true })

const openAt = Effect.fnUntraced(function* (
  place: Place,
  options: { readonly canBeNew: boolean }
): Effect.fn.Return<UsageStore, UsageStoreFailed, Scope.Scope> {
  if (place._tag === "postgresql") {
    const url = Option.getOrThrow(PostgresUrl.parse(Redacted.value(place.url)))
    const { layer } = yield* Effect.tryPromise({
      try: () => import("./PostgresClient.ts"),
      catch: () =>
        new UsageStoreFailed({ store: url.shown, reason: "the package @effect/sql-pg is not installed" })
    })
    return yield* openWith(url.shown, layer(url), options)
  }
  const { layer } = yield* Effect.promise(() => import("./SqliteClient.ts"))
  return yield* openWith(place.path, layer(place.path), options)
})

/** Whether there is a driver for SQLite. */
export const hasSqlite: Effect.Effect<boolean> = Effect.flatMap(
  Effect.promise(() => import("./SqliteClient.ts")),
  ({ isAvailable }) => isAvailable
)

const openWith = Effect.fnUntraced(function* (
  name: string,
  layer: Layer.Layer<SqlClient.SqlClient, SqlError | UsageStoreFailed>,
  options: { readonly canBeNew: boolean }
) {
  const client = yield* Effect.mapError(Layer.build(layer), (error) =>
    error._tag === "UsageStoreFailed"
      ? error
      : new UsageStoreFailed({ store: name, reason: SqlStore.reasonOf(error) })
  )
  return yield* Effect.provideContext(SqlStore.make(name, options), client)
})
