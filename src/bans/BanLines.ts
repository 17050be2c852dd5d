/**
 * Bans as they are written in a file: one JSON object a line.
 *
 *     {"network":"203.0.113.7/32","until":"2026-11-22T16:20:00.000Z","reason":"failed logins","failures":10}
 */
import * as IpNetwork from "effect/net/IpNetwork"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Slices from "../base/Slices.ts"
import * as Parsers from "../config/Parsers.ts"
import { printable } from "../wire/Text.ts"
import type { Ban } from "./BanList.ts"

interface Read {
  readonly bans: ReadonlyArray<Ban>
  /** Numbers, from 1, of the lines that are not valid bans. */
  readonly wrong: ReadonlyArray<number>
}

const Line = Schema.fromJsonString(
  Schema.Struct({
    network: Schema.String,
    until: Schema.String,
    reason: Schema.optionalKey(Schema.String),
    failures: Schema.optionalKey(Schema.Finite)
  })
)

const decode = Schema.decodeUnknownOption(Line)

export function* format(bans: ReadonlyArray<Ban>): Slices.Work<string> {
  const lines = yield* Slices.map(bans, ({ network, until, reason, failures }) => {
    const line = {
      network: IpNetwork.format(network),
      until: new Date(until).toISOString(),
      reason,
      failures
    }
    return `${JSON.stringify(line)}\n`
  })
  return lines.join("")
}

/** Empty lines are skipped. */
export function* parse(text: string): Slices.Work<Read> {
  const bans: Array<Ban> = []
  const wrong: Array<number> = []
  yield* Slices.each(text.split("\n"), (line, index) => {
    if (line.trim() === "") return
    const ban = Option.flatMap(decode(line), ({ network, until, reason = "by hand", failures = 0 }) =>
      Option.map(Parsers.network(network), (network) => ({
        network,
        until: Date.parse(until),
        reason: printable(reason),
        failures
      }))
    )
    if (Option.isSome(ban) && Number.isFinite(ban.value.until)) bans.push(ban.value)
    else wrong.push(index + 1)
  })
  return { bans, wrong }
}
