/**
 * Reports of usage, and their forms.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Report from "../../src/usage/Report.ts"
import * as ReportFormats from "../../src/usage/ReportFormats.ts"

const hour = 3_600_000

const records = [
  { day: "2026-11-01", user: "alice", sent: 100, received: 2000, sessions: 1, duration: hour },
  { day: "2026-11-01", user: undefined, sent: 1, received: 1, sessions: 3, duration: 500 },
  {
    day: "2026-11-02",
    user: "alice",
    sent: 24,
    received: 3 * 2 ** 30,
    sessions: 2,
    duration: 25 * hour + 61_000
  },
  { day: "2026-11-02", user: 'b,"o"b', sent: 0, received: 5 * 2 ** 40, sessions: 1, duration: 1234 }
]

const november = { from: "2026-11-01", to: "2026-11-30" }
const by = (by: Report.Grouping, user?: string) =>
  Report.make(
    records.filter((record) => user === undefined || record.user === user),
    { ...november, by, user }
  )

describe("Report", () => {
  it("has a line for each user, the one of most bytes first", () => {
    const { lines, total } = by("user")
    assert.deepStrictEqual(lines, [
      { user: 'b,"o"b', sent: 0, received: 5 * 2 ** 40, sessions: 1, duration: 1234 },
      { user: "alice", sent: 124, received: 2000 + 3 * 2 ** 30, sessions: 3, duration: 26 * hour + 61_000 },
      { user: null, sent: 1, received: 1, sessions: 3, duration: 500 }
    ])
    assert.deepStrictEqual(total, {
      ...{ sent: 125, received: 2001 + 3 * 2 ** 30 + 5 * 2 ** 40 },
      ...{ sessions: 7, duration: 26 * hour + 62_734 }
    })
  })

  it("has a line for each day, or for each day of a user", () => {
    assert.deepStrictEqual(
      by("day").lines.map(({ day, user, sessions }) => [day, user, sessions]),
      [
        ["2026-11-01", undefined, 4],
        ["2026-11-02", undefined, 3]
      ]
    )
    assert.deepStrictEqual(
      by("day", "alice").lines.map(({ day, user, sessions }) => [day, user, sessions]),
      [
        ["2026-11-01", "alice", 1],
        ["2026-11-02", "alice", 2]
      ]
    )
    assert.deepStrictEqual(
      by("both").lines.map(({ day, user }) => [day, user]),
      [
        ["2026-11-01", "alice"],
        ["2026-11-01", null],
        ["2026-11-02", "alice"],
        ["2026-11-02", 'b,"o"b']
      ]
    )
  })
})

describe("ReportFormats", () => {
  it("is a table with aligned columns", () => {
    assert.deepStrictEqual(ReportFormats.table(by("both")).split("\n"), [
      "usage from 2026-11-01 to 2026-11-30 (UTC)",
      "",
      "day         user        sent  received     both  sessions      time",
      "2026-11-01  alice      100 B   2.0 KiB  2.1 KiB         1   1:00:00",
      "2026-11-01  (no user)    1 B       1 B      2 B         3   0:00:01",
      "2026-11-02  alice       24 B   3.0 GiB  3.0 GiB         2  25:01:01",
      '2026-11-02  b,"o"b       0 B   5.0 TiB  5.0 TiB         1   0:00:01',
      "total                  125 B   5.0 TiB  5.0 TiB         7  26:01:03"
    ])
    assert.deepStrictEqual(ReportFormats.table(by("user", "nobody")).split("\n").slice(2), [
      "user   sent  received  both  sessions     time",
      "total   0 B       0 B   0 B         0  0:00:00"
    ])
    assert.match(ReportFormats.table(by("day")), /^day +sent +received/m)
  })

  it("shows no control characters of names", () => {
    const [record] = records
    const report = Report.make([{ ...record!, user: "a\u001b[2Jb" }], { ...november, by: "user" })
    assert.notInclude(ReportFormats.table(report), "\u001b")
  })

  it("is CSV with bytes and seconds, and quoted names", () => {
    assert.deepStrictEqual(ReportFormats.csv(by("both")).split("\r\n"), [
      "day,user,sent,received,sessions,seconds",
      "2026-11-01,alice,100,2000,1,3600",
      "2026-11-01,,1,1,3,0.5",
      "2026-11-02,alice,24,3221225472,2,90061",
      '2026-11-02,"b,""o""b",0,5497558138880,1,1.234'
    ])
  })

  it("is JSON with bytes and seconds", () => {
    assert.deepStrictEqual(JSON.parse(ReportFormats.json(by("day", "alice"))), {
      ...november,
      usage: [
        { day: "2026-11-01", user: "alice", sent: 100, received: 2000, sessions: 1, seconds: 3600 },
        { day: "2026-11-02", user: "alice", sent: 24, received: 3 * 2 ** 30, sessions: 2, seconds: 90_061 }
      ],
      total: { sent: 124, received: 2000 + 3 * 2 ** 30, sessions: 3, seconds: 93_661 }
    })
    const [, , none] = JSON.parse(ReportFormats.json(by("user"))).usage
    assert.deepStrictEqual(none, { user: null, sent: 1, received: 1, sessions: 3, seconds: 0.5 })
  })
})
