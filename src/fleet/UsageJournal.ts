/**
 * The usage that the fleet's store does not have yet, in a file of the state directory: it outlives the program, also
 * where that is killed, and is sent when the machine comes back.
 */
import { readFile, rename, writeFile } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** Bytes of an account on a day. */
export type Row = readonly [account: string, day: string, bytes: number]

/** Rows that the store may or may not have: it counts a run and a number once. */
export interface Batch {
  readonly run: string
  readonly number: number
  readonly rows: ReadonlyArray<Row>
}

export interface Unsent {
  readonly batch: Batch | undefined
  /** What the next batches are made of. */
  readonly rows: ReadonlyArray<Row>
}

export interface UsageJournal {
  /** What an earlier run has left. */
  readonly left: Unsent
  /** Writes what is unsent, unless that is in the file. Never fails: the log says that the file cannot be kept. */
  readonly save: (unsent: Unsent) => Effect.Effect<void>
}

const nothing: Unsent = { batch: undefined, rows: [] }

/** Keeps nothing: for a machine without a state directory. */
export const none: UsageJournal = { left: nothing, save: () => Effect.void }

const row = Schema.Tuple([Schema.String, Schema.String, Schema.Natural])

const Kept = Schema.fromJsonString(
  Schema.Struct({
    version: Schema.Literal(1),
    batch: Schema.optionalKey(
      Schema.Struct({ run: Schema.String, number: Schema.Natural, rows: Schema.Array(row) })
    ),
    rows: Schema.Array(row)
  })
)

export const open = Effect.fnUntraced(function* (stateDir: string): Effect.fn.Return<UsageJournal> {
  const path = join(stateDir, "fleet-usage.json")
  const left = yield* read(path)
  let written = textOf(nothing)
  let isTold = false
  if (left.rows.length > 0 || left.batch) written = ""
  return {
    left,
    save: (unsent) =>
      Effect.gen(function* () {
        const text = textOf(unsent)
        if (text === written) return
        // Whole where the program is killed meanwhile. A power failure may lose the last seconds.
        yield* Effect.tryPromise(async () => {
          await writeFile(`${path}.new`, text, { mode: 0o600 })
          await rename(`${path}.new`, path)
        })
        written = text
        isTold = false
      }).pipe(
        Effect.catch(({ cause }) => {
          const isNews = !isTold
          isTold = true
          const { code = String(cause) } = cause as NodeJS.ErrnoException
          return isNews
            ? Effect.logError("the usage that the fleet does not have yet cannot be kept", {
                file: path,
                code
              })
            : Effect.void
        })
      )
  }
})

const read = Effect.fnUntraced(function* (path: string): Effect.fn.Return<Unsent> {
  const text = yield* Effect.promise(() => readFile(path, "utf8").catch(() => undefined))
  if (text === undefined) return nothing
  const kept = Option.getOrUndefined(Schema.decodeUnknownOption(Kept)(text))
  if (kept) return { batch: kept.batch, rows: kept.rows }
  yield* Effect.promise(() => rename(path, `${path}.unread`).catch(() => {}))
  yield* Effect.logError("the usage that the fleet does not have yet is not whole, and is lost", {
    file: `${path}.unread`
  })
  return nothing
})

const textOf = ({ batch, rows }: Unsent): string =>
  `${JSON.stringify({ version: 1, ...(batch && { batch }), rows })}\n`
