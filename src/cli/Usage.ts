/**
 * The command `usage`: prints what users have used.
 */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Sources from "../config/Sources.ts"
import { BadFile, BadSetting, BadSettings } from "../Errors.ts"
import * as Days from "../usage/Days.ts"
import * as Report from "../usage/Report.ts"
import * as ReportFormats from "../usage/ReportFormats.ts"
import * as Stores from "../usage/Stores.ts"
import { locate } from "../usage/UsageRecords.ts"
import { printable } from "../wire/Text.ts"
import * as Settings from "./Settings.ts"
import type { Given } from "./UsageFlags.ts"

/** Prints a report from the store of the settings. Reads the store only, so that a server may be running. */
export const run = Effect.fnUntraced(function* (given: Sources.Given, asked: Given) {
  // Here --user names the user of the report, and is no setting.
  const { user: users = [], ...others } = given
  const { values } = yield* Settings.read({ ...others, logLevel: [] })
  const user = users.at(-1)
  const days = yield* daysOf(asked)
  const place = locate(values, values)
  if (place === undefined) {
    return yield* refused(
      "usage is not recorded by these settings: they have no --state-dir and no --usage-store"
    )
  }
  const by = Option.getOrElse(asked.by, () => (user === undefined ? "user" : "day"))
  const records = yield* Effect.scoped(
    Effect.flatMap(Stores.openExisting(place), (store) => store.read({ ...days, user }))
  )
  const report = Report.make(records, { ...days, by, user })
  const form = asked.json ? ReportFormats.json : asked.csv ? ReportFormats.csv : ReportFormats.table
  yield* Console.log(form(report))
})

/** The days of the report: those of a month, by default of this month, or from one day to another. */
const daysOf = Effect.fnUntraced(function* ({ month, from, to, csv, json }: Given) {
  if (csv && json) return yield* refused("--csv and --json are two forms of a report; it has one")
  if (Option.isSome(month) && (Option.isSome(from) || Option.isSome(to))) {
    return yield* refused("--month has its days, so there is no --from and no --to beside it")
  }
  const today = Days.dayOf(yield* Clock.currentTimeMillis)
  const first = yield* read(
    "--month",
    month,
    `${Option.getOrElse(month, () => today.slice(0, 7))}-01`,
    "a month"
  )
  const last = Days.dayOf(Date.parse(Days.nextMonthStart(first, 1)) - 1)
  const days = {
    from: yield* read(
      "--from",
      from,
      Option.getOrElse(from, () => first),
      "a day"
    ),
    to: yield* read(
      "--to",
      to,
      Option.getOrElse(to, () => (Option.isSome(from) ? today : last)),
      "a day"
    )
  }
  if (days.from > days.to) return yield* refused(`there is no day from ${days.from} to ${days.to}`)
  return days
})

const read = (setting: string, given: Option.Option<string>, day: string, what: "a day" | "a month") =>
  Days.isDay(day)
    ? Effect.succeed(day)
    : Effect.fail(
        new BadSetting({
          setting,
          value: `"${printable(Option.getOrElse(given, () => ""))}"`,
          expected: what === "a day" ? "a day such as 2026-11-22" : "a month such as 2026-11"
        })
      )

const refused = (reason: string) => new BadSettings({ errors: [new BadFile({ reason })] })
