/**
 * State that is kept over restarts: a file of JSON, replaced as a whole.
 */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { StateFailed } from "../Errors.ts"
import * as AtomicFile from "./AtomicFile.ts"
import * as FileLock from "./FileLock.ts"

/** The state in a file; none if there is no file. Fails if the file cannot be read, or is not of this form. */
export const read = Effect.fnUntraced(function* <A>(
  path: string,
  schema: Schema.Codec<A, unknown>
): Effect.fn.Return<Option.Option<A>, StateFailed> {
  const text = yield* Effect.tryPromise({
    try: () => readFile(path, "utf8").catch(absent),
    catch: (cause) => new StateFailed({ path, reason: reasonOf(cause as NodeJS.ErrnoException) })
  })
  if (text === undefined) return Option.none()
  return yield* Schema.decodeUnknownEffect(Schema.fromJsonString(schema))(text).pipe(
    Effect.mapBoth({
      onFailure: () => new StateFailed({ path, reason: "it is not whole, or of another version" }),
      onSuccess: Option.some
    })
  )
})

/** Fails if the file could not be written, as far as the system tells without a try. */
export const canWrite = (path: string): Effect.Effect<void, StateFailed> =>
  Effect.tryPromise({
    try: () => AtomicFile.canReplace(path),
    catch: (cause) => new StateFailed({ path, reason: reasonOf(cause as NodeJS.ErrnoException) })
  })

/** Locks a state directory for this process until the scope closes. */
export const lock = (directory: string): Effect.Effect<void, StateFailed, Scope.Scope> =>
  Effect.mapError(
    FileLock.hold(join(directory, "lock")),
    (problem) =>
      new StateFailed({
        path: directory,
        reason:
          problem._tag === "Held"
            ? `${problem.by} keeps its state there; each server needs a directory of its own`
            : (reasons[problem.code] ?? problem.code)
      })
  )

/** Replaces the file. The directory has to exist. */
export const write = Effect.fnUntraced(function* <A>(
  path: string,
  schema: Schema.Codec<A, unknown>,
  state: A
): Effect.fn.Return<void, StateFailed> {
  const text = yield* Effect.orDie(Schema.encodeEffect(Schema.fromJsonString(schema))(state))
  yield* Effect.tryPromise({
    try: () => AtomicFile.replace(path, text),
    catch: (cause) => new StateFailed({ path, reason: reasonOf(cause as NodeJS.ErrnoException) })
  })
}, Effect.uninterruptible)

const absent = (cause: NodeJS.ErrnoException): undefined => {
  if (cause.code !== "ENOENT") throw cause
}

/** Why the system refuses, as a part of a sentence. */
export const reasonOf = ({ code = "", message }: NodeJS.ErrnoException): string =>
  reasons[code] ?? (code || message)

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "its directory does not exist",
  EACCES: "this process may not",
  EROFS: "its file system is read-only",
  ENOSPC: "its disk is full"
}
