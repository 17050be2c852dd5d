/**
 * The forms of a report of usage: a table for people, CSV (RFC 4180) and JSON.
 */
import { printable } from "../wire/Text.ts"
import { type Amount, bytesOf } from "./Amount.ts"
import type { Line, Report } from "./Report.ts"

/** A table with sizes and times for people. */
export const table = ({ from, to, lines, total }: Report): string => {
  const hasDay = lines.some(({ day }) => day !== undefined)
  const hasUser = lines.some(({ user }) => user !== undefined)
  const labels = (day: string, user: string) => [
    ...(hasDay ? [day] : []),
    ...(hasUser || !hasDay ? [user] : [])
  ]
  const rows = [
    [...labels("day", "user"), "sent", "received", "both", "sessions", "time"],
    ...lines.map((line) => [...labels(line.day ?? "", nameOf(line)), ...cells(line)]),
    [...labels("total", hasDay ? "" : "total"), ...cells(total)]
  ]
  const texts = labels("", "").length
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const aligned = rows.map((row) =>
    row
      .map((cell, column) => (column < texts ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd()
  )
  return [`usage from ${from} to ${to} (UTC)`, "", ...aligned].join("\n")
}

/** A line for each line of the report, and no total. Sizes are bytes. */
export const csv = ({ lines }: Report): string =>
  [
    "day,user,sent,received,sessions,seconds",
    ...lines.map((line) =>
      [
        line.day ?? "",
        quoted(line.user ?? ""),
        line.sent,
        line.received,
        line.sessions,
        secondsOf(line)
      ].join(",")
    )
  ].join("\r\n")

/** Sizes are bytes. A user of null stands for all sessions without a user. */
export const json = ({ from, to, lines, total }: Report): string =>
  JSON.stringify(
    {
      from,
      to,
      usage: lines.map(({ day, user, ...amount }) => ({
        ...(day !== undefined && { day }),
        ...(user !== undefined && { user }),
        ...numbers(amount)
      })),
      total: numbers(total)
    },
    null,
    2
  )

const numbers = (amount: Amount) => ({
  sent: amount.sent,
  received: amount.received,
  sessions: amount.sessions,
  seconds: secondsOf(amount)
})

const secondsOf = ({ duration }: Amount): number => Math.round(duration) / 1000

const nameOf = ({ user }: Line): string => (user === null ? "(no user)" : printable(user ?? ""))

const cells = (amount: Amount): ReadonlyArray<string> => [
  size(amount.sent),
  size(amount.received),
  size(bytesOf(amount)),
  String(amount.sessions),
  time(amount.duration)
]

/** Bytes as people read them: `1.5 GiB`. */
const size = (bytes: number): string => {
  const power = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  return power === 0 ? `${bytes} B` : `${(bytes / 1024 ** power).toFixed(1)} ${units[power]}`
}

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]

/** Milliseconds as hours, minutes and seconds: `26:03:09`. */
const time = (duration: number): string => {
  const seconds = Math.round(duration / 1000)
  const two = (number: number) => String(Math.floor(number)).padStart(2, "0")
  return `${Math.floor(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`
}

/** In quotes where a comma, a quote or a line break is in it. */
const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
