/**
 * The flags of the command `usage`, beside those of the settings.
 */
import * as Flag from "effect/cli/Flag"
import type * as Option from "effect/Option"

export const flags = {
  month: Flag.String("month").pipe(
    Flag.withMetavar("MONTH"),
    Flag.withDescription("Month of the report, such as 2026-11 (default: this month)"),
    Flag.optional
  ),
  from: Flag.String("from").pipe(
    Flag.withMetavar("DAY"),
    Flag.withDescription("First day, such as 2026-11-22"),
    Flag.optional
  ),
  to: Flag.String("to").pipe(Flag.withMetavar("DAY"), Flag.withDescription("Last day"), Flag.optional),
  by: Flag.Literals("by", ["day", "user", "both"]).pipe(
    Flag.withDescription("What has a line (default: a user, and a day where --user names the user)"),
    Flag.optional
  ),
  csv: Flag.Boolean("csv").pipe(
    Flag.withDescription("Print CSV, with bytes and seconds"),
    Flag.withDefault(false)
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print JSON, with bytes and seconds"),
    Flag.withDefault(false)
  )
}

/** The values of the flags. */
export interface Given {
  readonly month: Option.Option<string>
  readonly from: Option.Option<string>
  readonly to: Option.Option<string>
  readonly by: Option.Option<"day" | "user" | "both">
  readonly csv: boolean
  readonly json: boolean
}
