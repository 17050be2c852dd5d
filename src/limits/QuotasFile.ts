/**
 * The file `quotas.json` of a state directory: usage where no store of usage is in use. A store adopts what the file
 * has, once.
 */
import { rename, stat } from "node:fs/promises"
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as StateFile from "../base/StateFile.ts"
import { StateFailed } from "../Errors.ts"
import { nothing } from "../usage/Amount.ts"
import * as Days from "../usage/Days.ts"
import type { Row } from "../usage/PendingUsage.ts"
import { UsageRecords } from "../usage/UsageRecords.ts"
import * as Usage from "./Usage.ts"

const fileIn = (stateDir: string): string => join(stateDir, "quotas.json")

const day = {
  date: Schema.String.check(Schema.isPattern(/^\d{4}-\d\d-\d\d$/)),
  accounts: Schema.Array(Schema.Struct({ name: Schema.String, day: Schema.Natural, month: Schema.Natural }))
}

/** The form of the file. A file of another version is refused. */
const Kept = Schema.Struct({
  version: Schema.Literal(1),
  ...day,
  others: Schema.optionalKey(Schema.Array(Schema.Struct(day)))
})

/** Usage that is written to the file at the start, every 10 seconds if it has changed, and at the end. */
export const usage = Effect.fnUntraced(function* (
  stateDir: string,
  resetDay: number
): Effect.fn.Return<Usage.Usage, StateFailed, Scope.Scope> {
  const path = fileIn(stateDir)
  const usage = Usage.make(Option.getOrUndefined(yield* StateFile.read(path, Kept)), resetDay)
  let written = ""
  const save = Effect.gen(function* () {
    const snapshot = usage.snapshot(yield* Clock.currentTimeMillis)
    const text = JSON.stringify(snapshot)
    if (text === written) return
    yield* StateFile.write(path, Kept, { version: 1, ...snapshot })
    written = text
  })
  // At the start, so that a file that cannot be written is an error and not only a line in the log.
  yield* save
  const saveOrSay = Effect.catch(save, ({ message }) => Effect.logError(message))
  yield* Effect.addFinalizer(() => saveOrSay)
  yield* Effect.forkScoped(Effect.schedule(saveOrSay, Schedule.spaced("10 seconds")))
  return usage
})

/** Fails if the file cannot be read or written. */
export const check = Effect.fnUntraced(function* (stateDir: string): Effect.fn.Return<void, StateFailed> {
  const path = fileIn(stateDir)
  yield* StateFile.read(path, Kept)
  yield* StateFile.canWrite(path)
})

/** Takes what the file has into the store of usage, and renames the file to `quotas.json.adopted`. */
export const adopt = Effect.fnUntraced(function* (
  stateDir: string,
  resetDay: number
): Effect.fn.Return<void, StateFailed, UsageRecords> {
  const path = fileIn(stateDir)
  const kept = yield* StateFile.read(path, Kept)
  if (Option.isNone(kept)) return
  const records = yield* UsageRecords
  const { mtimeMs } = yield* Effect.promise(() => stat(path))
  yield* records.adopt("quotas.json", Math.floor(mtimeMs), rowsOf(kept.value, resetDay)).pipe(
    Effect.andThen(Effect.tryPromise(() => rename(path, `${path}.adopted`))),
    Effect.mapError(({ message }) => new StateFailed({ path, reason: message }))
  )
  yield* Effect.logInfo("usage of quotas.json is in the usage store now", { file: `${path}.adopted` })
})

/**
 * The rows of a file, which does not tell the directions apart, so all bytes count as received. Those of a month before
 * the file's day are put on the first day of the month.
 */
const rowsOf = ({ others = [], ...latest }: Usage.Snapshot, resetDay: number): ReadonlyArray<Row> => {
  const months = new Set<string>()
  return [latest, ...others].flatMap(({ date, accounts }) => {
    const first = Days.monthStart(date, resetDay)
    // A month counts once, though each of its days has all of it.
    if (months.has(first)) return []
    months.add(first)
    return accounts.flatMap(({ name, day, month }) => [
      row(date, name, day),
      ...(month > day ? [row(first, name, month - day)] : [])
    ])
  })
}

const row = (day: string, account: string, received: number): Row => ({
  day,
  account,
  amount: { ...nothing, received }
})
